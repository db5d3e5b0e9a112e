"""Draws the pictures of docs/how-it-works.md from jobs on a simulated board: python docs/building/pictures.py.

The workload is another than that of the bundled reference, or else the predictions would be too good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_powertrain import (
    GreyBoxTransfer,
    Outcome,
    Phase,
    PowerMode,
    Prediction,
    Profile,
    ProfilingOptions,
    SimulatedDevice,
    Tuner,
    load_reference,
)
from lightning_powertrain.boards import IntArray
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import DEFAULT_REFERENCE
from lightning_powertrain.reporting.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    legend_below,
    new_figure,
    use_grid,
    use_log_scale,
)
from lightning_powertrain.selection import pareto_front

DOCS = Path(__file__).parents[1]
BOARD, WORKLOAD = "orin-agx-64gb", "mobilenetv3"
TITLE = "SIMULATED: MobileNetV3 on a Jetson AGX Orin 64 GB"
MINIBATCHES = 300_000
# After the choice nothing new happens.
AFTER_S = 45.0
# Modes that are measured before the predictor is first asked.
FIRST = 7


class Board(SimulatedDevice):
    """Writes down when which mode was set."""

    def __init__(self) -> None:
        super().__init__(BOARD, WORKLOAD)
        self.switches = [(0.0, self.current_mode())]

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.switches.append((self.clock.now(), PowerMode(**mode)))
        return super().apply(mode)


class Predictor(GreyBoxTransfer):
    """Writes down what it predicted, and from what."""

    def __init__(self) -> None:
        super().__init__(load_reference(DEFAULT_REFERENCE).profile)
        self.predicted: list[tuple[Profile, Prediction]] = []

    def fit(self, profile: Profile) -> None:
        self._profile = profile
        super().fit(profile)

    def predict(self, modes: IntArray) -> Prediction:
        prediction = super().predict(modes)
        self.predicted.append((self._profile, prediction))
        return prediction


@dataclass(frozen=True)
class Job:
    """A tuned job: when which mode was set, what was predicted on the way, and what was measured."""

    limit_w: float
    hard_limit: bool
    switches: list[tuple[float, PowerMode]]
    end_s: float
    predicted: list[tuple[Profile, Prediction]]
    outcome: Outcome


def tuned(limit_w: float, hard_limit: bool = False) -> Job:
    """The beginning of a job, up to some time after its mode was chosen."""
    board, predictor = Board(), Predictor()
    options = ProfilingOptions(predictor=predictor)
    tuner = Tuner(limit_w, device=board, hard_limit=hard_limit, strict=True, verbose=False, options=options)
    with tuner.start(minibatches=MINIBATCHES, workload=WORKLOAD):
        while tuner.phase is not Phase.LOCKED or board.clock.now() < board.switches[-1][0] + AFTER_S:
            tuner.minibatch_ended()
        assert tuner.outcome is not None
        return Job(
            limit_w, hard_limit, _that_lasted(board.switches), board.clock.now(), predictor.predicted, tuner.outcome
        )


def _that_lasted(switches: list[tuple[float, PowerMode]]) -> list[tuple[float, PowerMode]]:
    """Without the mode that a hard budget leaves before the first minibatch."""
    return list(dict(switches).items())


def modes_figure(truth: Profile, job: Job) -> Figure:
    """All modes: what there is to choose from."""
    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    look: dict[str, Any] = {"s": 3, "cmap": "viridis", "linewidths": 0, "rasterized": True}
    points = axes.scatter(truth.power_w, truth.time_ms, c=truth.modes[:, 2] / 1e6, **look)
    figure.colorbar(points, label="GPU clock (MHz)")
    _draw_front(axes, truth.time_ms, truth.power_w, VERMILION, "Pareto front")
    start = job.outcome.selection.start
    axes.scatter(start.power_w, start.time_ms, s=70, marker="D", c=BLACK, edgecolors="white", label="where jobs start")
    use_log_scale(axes, truth.time_ms)
    axes.set(xlabel="Power (W)", ylabel="Minibatch time (ms)")
    axes.set_title(f"{TITLE}\nall {len(truth):,} power modes", fontsize="medium")
    use_grid(axes)
    axes.legend(loc="upper right")
    return figure


def course_figure(job: Job, with_time: bool) -> Figure:
    """Power, and time of a minibatch, of the modes that were visited one after the other, as measured."""
    figure = new_figure(9, 5.5 if with_time else 3.5)
    axes = list(np.atleast_1d(figure.subplots(2 if with_time else 1, 1, sharex=True)))
    measured = {each.mode: each for each in job.outcome.profile.measurements}
    ends_s = [start_s for start_s, _ in job.switches[1:]] + [job.end_s]
    for number, ((start_s, mode), end_s) in enumerate(zip(job.switches, ends_s)):
        label, colour = _stage(number, job)
        for each, value in zip(axes[::-1], (measured[mode].power_w, measured[mode].time_ms)):
            each.hlines(value, start_s / 60, end_s / 60, colors=colour, linewidth=3, label=label)
    axes[-1].axhline(job.limit_w, c=PURPLE, linewidth=1.3, linestyle="--", zorder=0, label=f"budget: {job.limit_w:g} W")
    axes[-1].set(xlabel="Minutes since the job started", ylabel="Power (W)")
    if with_time:
        use_log_scale(axes[0], np.array([each.time_ms for each in measured.values()]))
        axes[0].set(ylabel="Minibatch time (ms)")
    axes[0].set_title(TITLE, fontsize="medium")
    for each in axes:
        use_grid(each)
    unique = dict(zip(*axes[-1].get_legend_handles_labels()[::-1]))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def _stage(number: int, job: Job) -> tuple[str, str]:
    if number == 0:
        return "start", BLACK
    if number == len(job.switches) - 1:
        return "locked", VERMILION
    # Under a hard budget no mode comes first: each is chosen by what was measured before.
    return (
        ("seven most informative modes", GREY)
        if number <= FIRST and not job.hard_limit
        else ("where the best may be", BLUE)
    )


def learning_figure(truth: Profile, job: Job) -> Figure:
    """What was predicted of all modes after the first measurements, and at the end."""
    figure = new_figure(10, 5)
    figure.suptitle(TITLE, fontsize="medium")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (profile, prediction) in zip(panels, (job.predicted[0], job.predicted[-1])):
        cloud: dict[str, Any] = {"s": 3, "c": GREY, "alpha": 0.4, "linewidths": 0, "rasterized": True}
        dots: dict[str, Any] = {"s": 22, "c": BLUE, "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
        axes.scatter(prediction.power_w, prediction.time_ms, label="predicted modes", **cloud)
        _draw_front(axes, truth.time_ms, truth.power_w, BLACK, "true Pareto front")
        _draw_front(axes, prediction.time_ms, prediction.power_w, GREEN, "predicted Pareto front")
        axes.scatter(profile.power_w, profile.time_ms, label="measured modes", **dots)
        axes.axvline(job.limit_w, c=PURPLE, linewidth=1.3, linestyle="--", label=f"budget: {job.limit_w:g} W")
        axes.set_title(_accuracy(truth, profile, prediction), fontsize="small")
        axes.set(xlabel="Power (W)", ylabel="Minibatch time (ms)")
        use_log_scale(axes, truth.time_ms)
        use_grid(axes)
    legend_below(figure, columns=5)
    return figure


def _accuracy(truth: Profile, profile: Profile, prediction: Prediction) -> str:
    time = np.mean(np.abs(prediction.time_ms / truth.time_ms - 1))
    power = np.mean(np.abs(prediction.power_w / truth.power_w - 1))
    return f"after {len(profile)} modes: off by {time:.1%} in time, {power:.1%} in power (mean over all)"


def _draw_front(axes: Axes, time_ms: Any, power_w: Any, colour: str, label: str) -> None:
    front = pareto_front(time_ms, power_w)
    axes.plot(power_w[front], time_ms[front], c=colour, linewidth=1.6, drawstyle="steps-post", label=label)


def main() -> None:
    """Draw them all."""
    soft, hard = tuned(30.0), tuned(20.0, hard_limit=True)
    truth = simulated_profile(BOARD, WORKLOAD, soft.outcome.modes.array)
    figures = {
        "all-modes": modes_figure(truth, soft),
        "course": course_figure(soft, with_time=True),
        "learning": learning_figure(truth, soft),
        "hard-course": course_figure(hard, with_time=False),
    }
    for name, figure in figures.items():
        figure.savefig(DOCS / f"{name}.png")
    for job in (soft, hard):
        print(f"{job.outcome.selection}\n{len(job.outcome.sampled)} modes in {job.outcome.profiling_s:.0f} s")


if __name__ == "__main__":
    main()
