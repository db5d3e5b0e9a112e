"""A logger that records what it receives from a replayed job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stories import make_outcome, replay, verified

from lightning_powertrain.reporting import LoggerReporter
from lightning_powertrain.tuning import Outcome


class Recorder:
    """A logger that keeps what it receives, and nothing else."""

    def __init__(self) -> None:
        self.sets: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.sets.append((step, dict(metrics)))
        metrics.clear()


class Steps:
    """A trainer's step, one further each time that it is asked."""

    def __init__(self) -> None:
        self.now = -1

    def __call__(self) -> int:
        self.now += 1
        return self.now


def report(*to: Any, simulated: bool = True, outcome: Outcome | None = None) -> LoggerReporter:
    reporter = LoggerReporter(lambda: to, Steps(), simulated=simulated)
    replay(reporter, outcome or verified(make_outcome()))
    return reporter


def series(sets: Sequence[tuple[int, dict[str, float]]], name: str) -> list[float]:
    return [metrics[name] for _, metrics in sets if name in metrics]
