"""Runs a tuner and records what it reports."""

from __future__ import annotations

from fakes import FakeDevice

from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Drift, Observer, Outcome, Phase, Progress


class Recorder(Observer):
    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.progress: list[Progress] = []
        self.outcomes: list[Outcome] = []
        self.closings = 0

    def phase_changed(self, phase: Phase) -> None:
        self.phases.append(phase)

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self.progress.append(progress)

    def selected(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def verified(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def closed(self) -> None:
        self.closings += 1


def train(tuner: Tuner, minibatches: int = 100_000) -> int:
    """Minibatches until the tuner has locked a mode or closed the board."""
    for done in range(minibatches):
        tuner.minibatch_ended()
        if tuner.phase in (Phase.LOCKED, Phase.CLOSED):
            return done + 1
    raise AssertionError(f"still {tuner.phase.name} after {minibatches} minibatches")


class Watcher(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.drifts: list[Drift] = []

    def drifted(self, drift: Drift) -> None:
        self.drifts.append(drift)


def go_on(tuner: Tuner, device: FakeDevice | SimulatedDevice, seconds: float) -> None:
    end_s = device.clock.now() + seconds
    while device.clock.now() < end_s and tuner.phase is not Phase.CLOSED:
        tuner.minibatch_ended()
