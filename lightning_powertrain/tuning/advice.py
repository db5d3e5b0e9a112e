"""What would make a job faster beyond the clocks of its board. Advice only: nothing of the job is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lightning_powertrain.profiling import Measurement, Provenance
from lightning_powertrain.tuning.breakdown import WORKERS, Breakdown

# Less than this share of the time is within the noise of a window.
_LEAST_SAVING = 0.05
# One more worker is worth having if it saves so much more.
_WORTH_A_WORKER = 0.02
# A GPU that is idle for so large a share of the time, while its data is there, is held up by the main thread.
_LAUNCH_BOUND = 0.25
# Workers that use less of their time on a CPU wait for something else.
_WAITING_WORKER = 0.5
# Loading and stepping scatter, so that a minibatch takes longer than the longer of the two where they are equal: the
# exponent of a smooth maximum. With 6 it is 12 % longer there.
_SHARPNESS = 6.0

Kind = Literal["workers", "loading", "launching"]


@dataclass(frozen=True)
class Advice:
    """Something that would make the job faster in the mode that stays.

    Args:
        kind: ``workers``: more workers of the data loader; ``loading``: data that is cheaper to make; ``launching``:
            fewer or larger kernels.
        saves: Share of the time of a minibatch that it is expected to save; for ``loading`` and ``launching`` at most.
        text: What to do, what it saves, and why, in one sentence.
    """

    kind: Kind
    saves: float
    text: str


def advice(measurement: Measurement, about: Provenance) -> tuple[Advice, ...]:
    """What the signals of a mode give evidence for; nothing without evidence.

    Args:
        measurement: The mode that stays.
        about: Where it comes from.
    """
    workers, breakdown = about.details.get(WORKERS), Breakdown.of(measurement, about)
    found = [*_about_loading(measurement, breakdown, workers)] if isinstance(workers, int) else []
    return (*found, *_about_launching(measurement, breakdown))


def _about_launching(measurement: Measurement, breakdown: Breakdown) -> Iterator[Advice]:
    share = breakdown.time_ms.get("launching", 0.0) / measurement.time_ms
    if share >= _LAUNCH_BOUND:
        saved = _percent(share)
        yield Advice(
            "launching",
            share,
            f"Larger minibatches, torch.compile or CUDA graphs may save up to {saved} of the time: the GPU "
            f"is idle for {saved} of it while its data is there, and waits for the main thread to launch kernels",
        )


def _about_loading(measurement: Measurement, breakdown: Breakdown, workers: int) -> Iterator[Advice]:
    loading = _Loading.of(measurement, breakdown.time_ms.get("waiting" if workers else "loading", 0.0), workers)
    if loading is None:
        return
    more, saves = loading.best_more()
    if saves >= _LEAST_SAVING:
        yield Advice(
            "workers", saves, f"{_workers_text(workers, more)} {_percent(saves)} of the time: {loading.reason}"
        )
    elif loading.is_cpu_bound and loading.wait_share >= 2 * _LEAST_SAVING:
        saved = _percent(loading.wait_share)
        yield Advice(
            "loading",
            loading.wait_share,
            f"Cheaper transforms, or data that is prepared in advance, may save up to {saved} of the time: training "
            f"waits for data, and all {loading.cores} cores are busy",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _workers_text(workers: int, more: int) -> str:
    if not workers:
        return f"num_workers={more} in the data loader is expected to save"
    noun, verb = ("worker", "is") if more == 1 else ("workers", "are")
    return f"{more} more loader {noun} ({workers + more} instead of {workers}) {verb} expected to save"


@dataclass(frozen=True)
class _Loading:
    """A job whose loop waits for data.

    Args:
        workers: Workers of the data loader; without any, the main thread loads.
        time_ms: Time of a minibatch.
        wait_ms: Part of it before its data is there, in which nothing else goes on.
        step_ms: What a minibatch would take with its data always ready.
        making_ms: Time in which one worker makes a minibatch.
        cpu_ms: Time that all cores together need for a minibatch, if they do nothing else.
        worker_cpu: Share of a worker's time on a CPU while it makes a minibatch.
        cores: Cores that are online.
        idle: Cores that are idle in the mean.
    """

    workers: int
    time_ms: float
    wait_ms: float
    step_ms: float
    making_ms: float
    cpu_ms: float
    worker_cpu: float
    cores: int
    idle: float

    @classmethod
    def of(cls, measurement: Measurement, wait_ms: float, workers: int) -> _Loading | None:
        """What the signals tell; None if they do not."""
        signals, time_ms, cores = measurement.signals, measurement.time_ms, len(measurement.signals.cores_busy)
        process_ms, children_ms = signals.process_ms, signals.children_ms
        if process_ms is None or children_ms is None or not cores or not 0 < wait_ms < time_ms:
            return None
        step_ms = time_ms - wait_ms
        if workers:
            making_ms = workers * (time_ms**_SHARPNESS - step_ms**_SHARPNESS) ** (1 / _SHARPNESS)
        else:
            making_ms = wait_ms
        busy = sum(signals.cores_busy.values())
        ours = (process_ms + children_ms) / time_ms
        for_us = max(cores - max(busy - ours, 0.0), 1.0)
        # Without workers the main thread's own time on the CPU cannot be split; loading counts as computing then.
        worker_cpu = children_ms / making_ms if workers else 1.0
        cpu_ms = (process_ms + children_ms) / for_us
        return cls(workers, time_ms, wait_ms, step_ms, making_ms, cpu_ms, worker_cpu, cores, max(cores - busy, 0.0))

    @property
    def wait_share(self) -> float:
        """Share of the time before the data is there."""
        return self.wait_ms / self.time_ms

    @property
    def is_cpu_bound(self) -> bool:
        """Whether the cores have no time left for more workers."""
        return self.cpu_ms >= 0.9 * self.time_ms

    def best_more(self) -> tuple[int, float]:
        """How many more workers to have, no more in all than there are cores; and the share of the time they save."""
        best, saves = 0, 0.0
        for more in range(1, self.cores - self.workers + 1):
            if self._saving(more) < saves + _WORTH_A_WORKER:
                break
            best, saves = more, self._saving(more)
        return best, saves

    def _saving(self, more: int) -> float:
        interval_ms = self.making_ms / (self.workers + more)
        slower_ms: float = (self.step_ms**_SHARPNESS + interval_ms**_SHARPNESS) ** (1 / _SHARPNESS)
        return 1 - max(slower_ms, self.cpu_ms) / self.time_ms

    @property
    def reason(self) -> str:
        """Why more workers save time."""
        if not self.workers:
            return f"the main thread loads data itself for {_percent(self.wait_share)} of it"
        waits = f"training waits for data for {_percent(self.wait_share)} of it"
        if self.worker_cpu < _WAITING_WORKER:
            return f"{waits}, and the workers themselves wait, such as for storage, which must keep up"
        return f"{waits}, and {self.idle:.1f} of {self.cores} cores are idle"
