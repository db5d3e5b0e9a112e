from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_powertrain.errors import MissingPackageError, PowerTrainError
from lightning_powertrain.evaluation.bench import Run, run_bench
from lightning_powertrain.evaluation.cases import Case, simulated_cases
from lightning_powertrain.evaluation.plots import (
    cost_figure,
    decisions_figure,
    errors_figure,
    front_figure,
    prepare_folder,
    save_plots,
)
from lightning_powertrain.selection import pareto_front

HEADING = "SIMULATED: a board in $"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return simulated_cases("orin-nano-8gb", ["lstm"], {"only": None}, None)


@pytest.fixture(scope="module")
def runs(cases: list[Case]) -> list[Run]:
    methods = ["maxn", "random-pareto", "linear", "grey-box-lhs"]
    return list(run_bench(cases, methods, [6, 12], 2, np.linspace(6, 9, 4), verify=True))


def line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    (drawn,) = (each for each in axes.lines if each.get_label() == label)
    return np.asarray(drawn.get_xdata()).tolist(), np.asarray(drawn.get_ydata()).tolist()


def shown(figure: Figure) -> str:
    return figure._suptitle.get_text()


def test_errors_are_medians_over_runs(runs: list[Run]) -> None:
    predicting = [run for run in runs if run.errors is not None]
    figure = errors_figure(predicting, HEADING)
    for axes, target in zip(figure.axes, ("time", "power")):
        for method in ("linear", "grey-box-lhs"):
            expected = [
                np.median([getattr(run.errors, target) for run in predicting if (run.method, run.modes) == (method, n)])
                for n in (6, 12)
            ]
            modes, medians = line(axes, method)
            assert modes == [6, 12]
            assert medians == pytest.approx(expected)
    assert shown(figure).startswith(HEADING)


def test_errors_by_seconds_rise_with_modes(runs: list[Run]) -> None:
    figure = errors_figure([run for run in runs if run.errors is not None], HEADING, by_seconds=True)
    seconds, _ = line(figure.axes[0], "linear")
    assert 6 * 2.0 < seconds[0] < seconds[1], "settling alone takes 2 s a mode"
    assert "Seconds" in figure.axes[0].get_xlabel()


def test_cost_is_that_of_unverified_choices(runs: list[Run]) -> None:
    some = [run for run in runs if run.method == "random-pareto"]
    penalty, above = cost_figure(some, HEADING).axes
    for axes, name in ((penalty, "penalty"), (above, "above_half_w")):
        expected = [np.median([getattr(run.decisions, name) for run in some if run.modes == n]) for n in (6, 12)]
        assert line(axes, "random-pareto")[1] == pytest.approx(expected)
    assert "unverified" in shown(cost_figure(some, HEADING))


def test_decisions_before_and_after_verification(runs: list[Run]) -> None:
    some = [run for run in runs if run.method == "grey-box-lhs" and run.modes == 6]
    penalty, excess = decisions_figure(some, "6 measured modes", HEADING).axes
    for label, parts in (
        ("grey-box-lhs", [run.decisions for run in some]),
        ("grey-box-lhs, verified", [run.verified.decisions for run in some if run.verified]),
    ):
        assert line(penalty, label)[1] == pytest.approx(np.median([part.penalties for part in parts if part], axis=0))
        assert line(excess, label)[1] == pytest.approx(np.mean([part.excesses_w for part in parts if part], axis=0))
        assert line(penalty, label)[0] == np.linspace(6, 9, 4).tolist()


def test_fronts_are_those_of_truth_and_prediction(runs: list[Run], cases: list[Case]) -> None:
    (run,) = (run for run in runs if run.method == "grey-box-lhs" and run.modes == 12 and run.seed == 0)
    figure = front_figure([run], cases[0], HEADING)
    truth, predicted = cases[0].truth, run.prediction
    assert predicted is not None
    painted = {each.get_label(): each for each in figure.axes[0].lines if len(each.get_xdata()) > 2}
    for label, known in (("true-line", truth), ("front-line", predicted)):
        front = pareto_front(known.time_ms, known.power_w)
        is_shown = (known.time_ms[front] <= 6 * truth.time_ms.min()) & (
            known.power_w[front] >= 0.95 * truth.power_w.min()
        )
        corners = np.asarray(painted[label].get_ydata())[1::2]
        assert len(corners) == is_shown.sum() > 20
        assert np.all(np.diff(corners) > 0), "faster modes are further down"
    assert "lstm, 12 measured modes, seed 0" in shown(figure)


def test_all_figures_are_written_and_say_what_is_simulated(
    runs: list[Run], cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    prepare_folder(tmp_path / "new" / "plots")
    paths = save_plots(runs, cases, HEADING, tmp_path / "new" / "plots")
    expected = {
        "errors",
        "errors-by-seconds",
        "decisions-by-seconds",
        "decisions-6-modes",
        "decisions-12-modes",
        "front-lstm",
    }
    assert {path.stem for path in paths} == expected
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_any_name_of_a_workload_gives_a_file_name(runs: list[Run], cases: list[Case], tmp_path: Path) -> None:
    truth = cases[0].truth
    renamed = replace(truth, provenance=replace(truth.provenance, workload="../a40/bert base"))
    mine = [replace(run, workload="../a40/bert base") for run in runs]
    paths = save_plots(mine, [replace(cases[0], truth=renamed)], HEADING, tmp_path)
    assert "front-..-a40-bert-base.png" in [path.name for path in paths]
    assert sorted(paths) == sorted(tmp_path.iterdir())


def test_what_cannot_be_written_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PowerTrainError, match="cannot be made"):
        prepare_folder(tmp_path / "file" / "plots")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        prepare_folder(tmp_path / "plots")
    assert not (tmp_path / "plots").exists()
