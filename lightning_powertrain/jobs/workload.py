"""The workload of a job: its name, its fingerprint, and what its model asks of a simulated board."""

from __future__ import annotations

from lightning_powertrain.devices import BaseDevice, SimulatedDevice
from lightning_powertrain.jobs.fingerprint import workload_fingerprint
from lightning_powertrain.jobs.job import BaseJob
from lightning_powertrain.logs import swallowed
from lightning_powertrain.profiling import named_fingerprint
from lightning_powertrain.simulation.probe import ModelProbe


class JobWorkload:
    """What a job trains.

    Args:
        job: The job.
        device: The board of this process, if it drives one.
        is_simulated: Whether a simulated board is to train this model, rather than a workload of its own.
    """

    def __init__(self, job: BaseJob, device: BaseDevice | None, is_simulated: bool) -> None:
        self._job = job
        self.name = type(job.model).__name__
        """Names the profile."""
        self.workers = job.worker_count()
        """Workers of the data loader; None if not known."""
        self._stands_alone = isinstance(device, SimulatedDevice) and not is_simulated
        self._probe: ModelProbe | None = None
        self._board: SimulatedDevice | None = None
        if isinstance(device, SimulatedDevice):
            if is_simulated:
                self._probe, self._board = ModelProbe(job.model), device
            else:
                self.name, self.workers = device.workload.name, device.workload.num_workers

    def minibatch_starts(self) -> None:
        """Watch the model during its first minibatch, for a simulated board that is to train it."""
        if self._probe is not None:
            self._probe.start()

    def minibatch_ended(self) -> None:
        """Give the simulated board what its first minibatch has shown of the model."""
        if self._probe is not None and self._board is not None:
            self._board.workload = self._probe.finish(*self._job.loader_workers())

    def fingerprint(self, batch: object) -> str | None:
        """Identifies the workload in the profile cache; None where no fingerprint can be taken.

        Args:
            batch: The first minibatch; it may be any object.
        """
        if self._stands_alone:
            return named_fingerprint(self.name)
        with swallowed("taking the fingerprint of the workload, which the profile cache needs,"):
            return workload_fingerprint(self._job, batch)
        return None

    def stop(self) -> None:
        """Leave no hook on the model of the user."""
        if self._probe is not None:
            self._probe.stop()
