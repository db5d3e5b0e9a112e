"""The Pareto plot: what is on it, and that figure and report show the same picture."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html import unescape
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from stories import BOARD, Foreseen, make_outcome, on_board, verified

from lightning_powertrain.reporting import pareto_figure, save_figure
from lightning_powertrain.reporting.chart import FRAME, HEIGHT, WIDTH, Box, Chart, Dots, Line, Mark, Words
from lightning_powertrain.reporting.chart_svg import chart_svg
from lightning_powertrain.reporting.pareto import pareto_chart, slowest_shown_ms
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.summary import run_summary
from lightning_powertrain.selection import LeastEnergy, NoWorse, Objective, PowerBudget, TimeBudget, pareto_front
from lightning_powertrain.tuning import Outcome

PNG = b"\x89PNG\r\n\x1a\n"


def saved(outcome: Outcome) -> SavedRun:
    return SavedRun(run_summary(outcome), outcome.profile)


def chart_of(outcome: Outcome) -> Chart:
    return pareto_chart(saved(outcome))


def shapes(chart: Chart, shape: type, kind: str) -> list[Any]:
    return [each for each in chart.shapes if isinstance(each, shape) and each.kind == kind]


def labels(chart: Chart) -> dict[str, Words]:
    """Names beside marks, and the words of the legend."""
    words = [each for each in chart.shapes if isinstance(each, Words)]
    return {each.text: each for each in words if each.kind in ("label", "budget-text")}


def in_the_lowest_mode(outcome: Outcome) -> Outcome:
    lowest = replace(outcome.selection.start, mode=BOARD.mode(0), time_ms=5000.0)
    return replace(outcome, selection=replace(outcome.selection, start=lowest))


def test_marks_are_where_their_modes_belong() -> None:
    outcome = verified(make_outcome())
    selection, chart = outcome.selection, chart_of(outcome)
    measured = selection.measured
    assert measured is not None
    for kind, known in (("start", selection.start), ("expected", selection), ("chosen", measured)):
        (mark,) = (each for each in shapes(chart, Mark, kind) if each.hint)
        assert mark.at == chart.at(known.power_w, known.time_ms)
        assert f"{known.time_ms:.1f} ms" in mark.hint[0]
    within = [each for each in outcome.profile.measurements if chart.shows(each.power_w, each.time_ms)]
    assert [mark.at for mark in shapes(chart, Mark, "measured") if mark.hint] == [
        chart.at(each.power_w, each.time_ms) for each in within
    ]
    assert 5 < len(within) < len(outcome.profile)


def test_the_front_is_a_staircase_down_from_the_edge() -> None:
    outcome = verified(make_outcome())
    chart, found = chart_of(outcome), outcome.forecast.prediction
    front = [
        chart.at(found.power_w[row], found.time_ms[row])
        for row in pareto_front(found.time_ms, found.power_w)
        if chart.shows(found.power_w[row], found.time_ms[row])
    ]
    line = shapes(chart, Line, "front-line")[0]
    assert line.points[0] == pytest.approx((front[0][0], FRAME.top), abs=0.2)
    assert np.asarray(line.points[1::2]) == pytest.approx(np.asarray(front), abs=0.2)
    assert all(x == before[0] or y == before[1] for before, (x, y) in zip(line.points, line.points[1:]))


def test_the_slow_tail_does_not_squeeze_the_rest() -> None:
    outcome = on_board(verified(make_outcome()), "orin-agx-64gb")
    about = run_summary(outcome)
    known = [each["time_ms"] for each in about["compared"]]
    slowest = slowest_shown_ms(about)
    assert max(known) < slowest < 1.2 * max(known)
    tail = outcome.forecast.prediction.time_ms.max()
    assert tail > 2 * slowest
    chart = chart_of(outcome)
    assert chart.y.high == slowest
    assert max(about["predicted"]["others"]["time_ms"]) <= slowest


def test_a_start_in_the_lowest_mode_is_named_on_the_edge() -> None:
    chart = chart_of(in_the_lowest_mode(verified(make_outcome())))
    assert chart.y.high < 1000
    (mark,) = (each for each in shapes(chart, Mark, "start") if each.hint)
    assert mark.at[1] == FRAME.top
    assert "lowest, 5000 ms" in labels(chart)


def test_known_modes_are_named() -> None:
    named = labels(chart_of(on_board(verified(make_outcome()), "orin-agx-64gb")))
    assert {"start (MAXN)", "chosen", "MODE_15W*", "MODE_30W*", "MODE_50W", "* not comparable"} <= set(named)
    many = labels(chart_of(on_board(verified(make_outcome()), "agx-xavier")))
    assert "MODE_30W_6CORE +1" in many, "two presets that are the same mode on this small board"


@pytest.mark.parametrize(
    ("objective", "name", "across", "down"),
    [(PowerBudget(30.0), "budget 30 W", 0, 1), (TimeBudget(80.0), "budget 80 ms", 1, 0)],
)
def test_a_budget_is_a_line_with_its_name(objective: Objective, name: str, across: int, down: int) -> None:
    chart = chart_of(make_outcome(objective))
    (line,) = shapes(chart, Line, "budget")
    (x, y), (end_x, end_y) = line.points
    assert (bool(end_x - x), bool(end_y - y)) == (bool(across), bool(down))
    assert (x, y)[across] == chart.at(30.0, 80.0)[across]
    assert name in labels(chart)


@pytest.mark.parametrize(
    ("objective", "lines"), [(None, 2), (NoWorse(55.0, 46.0), 2), (LeastEnergy(), 0), (PowerBudget(500.0), 0)]
)
def test_limits_within_the_plot_are_drawn(objective: Objective | None, lines: int) -> None:
    chart = chart_of(make_outcome(objective))
    assert len(shapes(chart, Line, "budget")) == lines
    assert sum("budget" in text for text in labels(chart)) == lines


STORIES = {
    "power": make_outcome(),
    "time": verified(make_outcome(TimeBudget(80.0))),
    "no worse": verified(make_outcome(None)),
    "presets": on_board(verified(make_outcome()), "orin-agx-64gb"),
    "energy": on_board(verified(make_outcome(LeastEnergy())), "orin-agx-64gb"),
    "many presets": on_board(verified(make_outcome()), "agx-xavier"),
    "lowest": in_the_lowest_mode(on_board(verified(make_outcome()), "orin-agx-64gb")),
}


@pytest.mark.parametrize("story", STORIES)
def test_no_text_is_over_another_or_outside(story: str) -> None:
    """As matplotlib measures it."""
    figure = pareto_figure(STORIES[story])
    figure.canvas.draw()
    extents = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    # Nothing of a font is as high as its line.
    boxes = {text: Box(each.x0, each.y0, each.x1, each.y1 - 6) for text, each in extents.items()}
    for (one, box), (other, beside) in combinations(boxes.items(), 2):
        assert not box.overlaps(beside), f"{one} over {other}"
    whole = Box(*figure.bbox.extents)
    assert all(map(whole.encloses, boxes.values()))


@pytest.mark.parametrize("story", STORIES)
def test_figure_and_report_show_the_same_picture(story: str) -> None:
    chart, axes = chart_of(STORIES[story]), pareto_figure(STORIES[story]).axes[0]
    svg = chart_svg(chart, "label")
    shown = re.sub(r'<g class="hint">.*?</g>', "", svg)
    texts = [
        (unescape(text), float(x), float(y))
        for x, y, text in re.findall(r'<text [^>]*?x="([\d.-]+)" y="([\d.-]+)"[^>]*>([^<]*)</text>', shown)
    ]
    painted = [(each.get_text(), *each.get_position()) for each in axes.texts]
    assert [text for text, *_ in texts] == [text for text, *_ in painted]
    assert np.array([at for _, *at in texts]) == pytest.approx(np.array([at for _, *at in painted]), abs=0.06)
    assert shown.count('class="mark ') == len(axes.patches) == sum(isinstance(each, Mark) for each in chart.shapes)
    dots = sum(len(each.points) for each in chart.shapes if isinstance(each, Dots))
    assert shown.count('<circle class="other"') == dots
    assert sum(len(np.asarray(each.get_offsets())) for each in axes.collections) == dots
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, WIDTH), (HEIGHT, 0))


@pytest.mark.parametrize("simulated", [True, False])
def test_title_names_workload_and_board_and_what_is_simulated(simulated: bool) -> None:
    figure = pareto_figure(make_outcome(simulated=simulated, workload="cost in $"))
    assert "cost in $ on test-board" + " (SIMULATED)" * simulated in texts_of(figure)
    figure.canvas.draw()


def texts_of(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.axes[0].texts]


def test_time_is_logarithmic_only_over_a_wide_range() -> None:
    outcome = on_board(verified(make_outcome(LeastEnergy())), "orin-agx-64gb")
    assert chart_of(outcome).y.is_log
    assert not chart_of(make_outcome()).y.is_log


def test_impossible_predictions_have_no_place_on_the_axes() -> None:
    outcome = make_outcome()
    times, powers = outcome.forecast.prediction.time_ms.copy(), outcome.forecast.prediction.power_w.copy()
    before = chart_of(outcome)
    shown = [row for row in range(len(BOARD)) if before.shows(powers[row], times[row])]
    times[shown[4]], powers[shown[9]] = -40.0, -1.0
    found = replace(outcome.forecast.prediction, time_ms=times, power_w=powers)
    chart = chart_of(replace(outcome, forecast=Foreseen(found)))
    assert len(shapes(chart, Dots, "other")[0].points) == len(shown) - 2
    assert chart.x.low > 0
    assert chart.y.low > 0


def test_pyplot_and_its_global_state_are_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    save_figure(verified(make_outcome()), tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").read_bytes().startswith(PNG)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lightning-powertrain\[plots\]'"):
        save_figure(make_outcome(), tmp_path / "pareto.png")
    assert list(tmp_path.iterdir()) == []
