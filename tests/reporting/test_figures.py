from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from stories import Foreseen, make_outcome, verified

from lightning_powertrain.reporting import pareto_figure, save_figure
from lightning_powertrain.selection import LeastEnergy, NoWorse, Objective, PowerBudget, TimeBudget, pareto_front

PNG = b"\x89PNG\r\n\x1a\n"


def points(figure: Figure, label: str) -> list[tuple[float, float]]:
    found = [each for each in figure.axes[0].collections if each.get_label() == label]
    assert len(found) == 1, label
    return [(float(x), float(y)) for x, y in np.asarray(found[0].get_offsets())]


def lines(figure: Figure, label: str) -> list[tuple[list[float], list[float]]]:
    drawn = [each for each in figure.axes[0].lines if each.get_label() == label]
    return [(np.asarray(each.get_xdata()).tolist(), np.asarray(each.get_ydata()).tolist()) for each in drawn]


def test_figure_shows_every_mode_where_it_belongs() -> None:
    outcome = verified(make_outcome())
    selection, prediction = outcome.selection, outcome.forecast.prediction
    assert selection.measured is not None
    figure = pareto_figure(outcome)
    assert points(figure, "predicted modes") == list(zip(prediction.power_w, prediction.time_ms))
    sampled = outcome.profile.measurements[1:]
    assert points(figure, "measured while profiling") == [(each.power_w, each.time_ms) for each in sampled]
    assert points(figure, "start") == [(selection.start.power_w, selection.start.time_ms)]
    assert points(figure, "chosen, predicted") == [(selection.power_w, selection.time_ms)]
    assert points(figure, "chosen, measured") == [(selection.measured.power_w, selection.measured.time_ms)]
    front = pareto_front(prediction.time_ms, prediction.power_w)
    drawn = [(list(prediction.power_w[front]), list(prediction.time_ms[front]))]
    assert lines(figure, "predicted Pareto front") == drawn


@pytest.mark.parametrize(
    ("objective", "label", "at"),
    [
        (PowerBudget(30.0), "budget: 30 W", ([30.0, 30.0], [0.0, 1.0])),
        (TimeBudget(120.0), "budget: 120 ms", ([0.0, 1.0], [120.0, 120.0])),
        (NoWorse(55.0, 46.0), "budget: no worse than the start", ([46.0, 46.0], [0.0, 1.0])),
    ],
)
def test_budget_is_a_line(objective: Objective, label: str, at: tuple[list[float], list[float]]) -> None:
    figure = pareto_figure(make_outcome(objective))
    assert lines(figure, label) == [at]
    assert label in [text.get_text() for text in figure.legends[0].get_texts()]


def test_without_a_limit_there_is_no_budget_line() -> None:
    labels = [text.get_text() for text in pareto_figure(make_outcome(LeastEnergy())).legends[0].get_texts()]
    assert not any("budget" in label for label in labels)
    assert "chosen, measured" not in labels, "nothing was measured yet"


@pytest.mark.parametrize("simulated", [True, False])
def test_title_names_workload_and_board_and_what_is_simulated(simulated: bool) -> None:
    figure = pareto_figure(make_outcome(simulated=simulated, workload="cost in $"))
    shown = figure.axes[0].get_title()
    assert shown == "Power modes: cost in $ on test-board" + " (SIMULATED)" * simulated
    figure.canvas.draw()


def test_time_is_logarithmic_only_over_a_wide_range() -> None:
    outcome = make_outcome()
    assert pareto_figure(outcome).axes[0].get_yscale() == "log"
    flat = replace(outcome.forecast.prediction, time_ms=np.full(len(outcome.modes), 60.0))
    measured = tuple(replace(each, time_ms=50.0) for each in outcome.profile.measurements)
    narrow = replace(outcome, forecast=Foreseen(flat), profile=replace(outcome.profile, measurements=measured))
    assert pareto_figure(narrow).axes[0].get_yscale() == "linear"


def test_impossible_predictions_have_no_place_on_the_axes() -> None:
    outcome = make_outcome()
    times, powers = outcome.forecast.prediction.time_ms.copy(), outcome.forecast.prediction.power_w.copy()
    times[3], powers[5] = -40.0, -1.0
    figure = pareto_figure(
        replace(outcome, forecast=Foreseen(replace(outcome.forecast.prediction, time_ms=times, power_w=powers)))
    )
    assert len(points(figure, "predicted modes")) == len(outcome.modes) - 2
    assert all(x > 0 and y > 0 for x, y in points(figure, "predicted modes"))
    figure.canvas.draw()


def test_pyplot_and_its_global_state_are_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    save_figure(verified(make_outcome()), tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").read_bytes().startswith(PNG)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lightning-powertrain\[plots\]'"):
        save_figure(make_outcome(), tmp_path / "pareto.png")
    assert list(tmp_path.iterdir()) == []
