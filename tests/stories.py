"""The events of a whole tuning job on a small made-up board, to be replayed to any observer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from lightning_powertrain.boards import IntArray, Knob, ModeSpace, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.selection import NoWorse, Objective, PowerBudget, Selection, best_index
from lightning_powertrain.tuning import Correction, Drift, Observer, Outcome, Phase, Progress
from lightning_powertrain.tuning.forecast import Forecast

BOARD = ModeSpace(
    (
        Knob("cores", "cores", (2, 4, 8, 12)),
        Knob("cpu_khz", "cpu", (422400, 1113600, 2201600)),
        Knob("gpu_hz", "gpu", (114750000, 408000000, 816000000, 1300500000)),
        Knob("emc_hz", "emc", (665600000, 3199000000)),
    )
)
WITHIN_30_W = PowerBudget(30.0)
SAMPLED = (2, 13, 29, 37, 46, 58, 61, 70, 77, 85, 90, 94)


class Foreseen(Forecast):
    """A forecast that is known from the start, of all modes of the board."""

    def __init__(self, prediction: Prediction) -> None:
        self._all = prediction

    @property
    def rows(self) -> IntArray:  # type: ignore[override]
        return np.arange(len(BOARD))

    @property
    def prediction(self) -> Prediction:  # type: ignore[override]
        return self._all

    def of(self, modes: Iterable[PowerMode]) -> Prediction:
        rows = [BOARD.index(mode) for mode in modes]
        arrays = {name: value[rows] for name, value in vars(self._all).items() if isinstance(value, np.ndarray)}
        return replace(self._all, **arrays)


def costs(modes: IntArray) -> tuple[np.ndarray, np.ndarray]:
    """Times (ms) and powers (W) that slower clocks make longer and smaller."""
    cores, cpu, gpu, emc = (modes / np.array([12, 2201600, 1300500000, 3199000000])).T
    time_ms = 12 / (cpu * (0.5 + 0.5 * cores)) + 35 / gpu + 8 / emc
    return time_ms, 9.0 + 9 * cores * cpu**2 + 22 * gpu**2 + 6 * emc


def make_outcome(
    objective: Objective | None = WITHIN_30_W, *, simulated: bool = True, workload: str = "resnet18"
) -> Outcome:
    """The outcome of tuning the made-up board; predictions are off by a few per cent."""
    times, powers = costs(BOARD.array)
    start, *sampled = [
        Measurement(BOARD.mode(index), float(times[index]), float(powers[index]), minibatches=40)
        for index in (len(BOARD) - 1, *SAMPLED)
    ]
    profile = Profile(BOARD.knobs, Provenance("test-board", workload, simulated), (start, *sampled))
    wave = np.sin(np.arange(len(BOARD)))
    prediction = Prediction(times * (1 + 0.04 * wave), powers * (1 - 0.03 * wave), 0.04, 0.03)
    objective = objective or NoWorse(start.time_ms, start.power_w)
    best = best_index(objective, prediction.time_ms, prediction.power_w)
    expected = float(prediction.time_ms[best]), float(prediction.power_w[best])
    selection = Selection(BOARD.mode(best), objective, *expected, start, time_error=0.04, power_error=0.03)
    return Outcome(BOARD, profile, Foreseen(prediction), selection, profiling_s=250.0)


def on_board(outcome: Outcome, board: str, **details: str) -> Outcome:
    """The same on a board of the catalogue, which has stock presets."""
    about = replace(outcome.profile.provenance, board=board, details=details)
    return replace(outcome, profile=replace(outcome.profile, provenance=about))


def verified(outcome: Outcome) -> Outcome:
    """The outcome once the chosen mode was measured."""
    mode = outcome.selection.mode
    time_ms, power_w = (float(cost[0]) for cost in costs(BOARD.rows([mode])))
    return measured_as(outcome, Measurement(mode, time_ms, power_w))


def measured_as(outcome: Outcome, measurement: Measurement) -> Outcome:
    """The outcome once the chosen mode was measured to be this."""
    return replace(outcome, selection=replace(outcome.selection, measured=measurement))


def corrected(outcome: Outcome) -> Outcome:
    """The outcome after its mode has drifted and another one was chosen."""
    before = outcome.selection.measured
    assert before is not None
    now = replace(before, time_ms=1.2 * before.time_ms, power_w=1.1 * before.power_w)
    other = outcome.sampled[0]
    correction = Correction(Drift("slower", before, now, (now, now, now)), "chosen again", other.mode, 95.0)
    selection = replace(outcome.selection, mode=other.mode, start=now, measured=other)
    profile = replace(outcome.profile, measurements=(now, other))
    return replace(
        outcome, profile=profile, selection=selection, corrections=(*outcome.corrections, correction), profiling_s=95.0
    )


def replay_correction(observer: Observer, outcome: Outcome) -> None:
    """Replay how the last correction of an outcome came about."""
    drift, verified = outcome.corrections[-1].drift, outcome.selection.measured
    assert verified is not None
    observer.drifted(drift)
    observer.phase_changed(Phase.DECIDING)
    observer.phase_changed(Phase.VERIFYING)
    observer.selected(replace(outcome, selection=replace(outcome.selection, measured=None)))
    observer.phase_changed(Phase.PROFILING)
    observer.measured(verified, Progress(1, 1, 0.0))
    observer.phase_changed(Phase.LOCKED)
    observer.verified(outcome)


def replay(observer: Observer, outcome: Outcome, *, until: Phase = Phase.LOCKED) -> None:
    """Replay the events of an outcome as a tuner reports them, up to a phase, without closing."""
    start, *sampled = outcome.profile.measurements
    observer.phase_changed(Phase.WARMING_UP)
    observer.phase_changed(Phase.MEASURING_START)
    observer.measured(start, Progress(0, len(sampled), outcome.profiling_s))
    observer.phase_changed(Phase.PROFILING)
    for done, measurement in enumerate(sampled, start=1):
        spent_s = outcome.profiling_s * done / len(sampled)
        observer.measured(measurement, Progress(done, len(sampled), outcome.profiling_s - spent_s, spent_s))
        if until is Phase.PROFILING and done == len(sampled) // 2:
            return
    observer.phase_changed(Phase.DECIDING)
    observer.phase_changed(Phase.VERIFYING)
    observer.selected(replace(outcome, selection=replace(outcome.selection, measured=None)))
    if until is Phase.VERIFYING:
        return
    observer.phase_changed(Phase.LOCKED)
    observer.verified(outcome)


def on_orin(outcome: Outcome) -> Outcome:
    return on_board(outcome, "orin-agx-64gb")


def with_intervals(outcome: Outcome) -> Outcome:
    found = outcome.forecast.prediction
    ends = {"time_low_ms": 0.9 * found.time_ms, "time_high_ms": 1.1 * found.time_ms}
    ends.update(power_low_w=0.95 * found.power_w, power_high_w=1.05 * found.power_w)
    return replace(outcome, forecast=Foreseen(replace(found, **ends, reference=Provenance("board-x", "lstm", True))))
