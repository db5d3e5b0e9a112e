from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from logged import Recorder, report, series
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.logger import DummyLogger
from stories import make_outcome, replay, verified

from lightning_powertrain.reporting import loggers
from lightning_powertrain.selection import LeastEnergy, Objective, PowerBudget, TimeBudget
from lightning_powertrain.tuning import Phase, Progress

DOCS = Path(__file__).parents[2] / "docs" / "logging.md"


def test_temperatures_are_logged_where_they_could_be_read() -> None:
    outcome = verified(make_outcome())
    start, *others = outcome.profile.measurements
    warm = replace(outcome.profile, measurements=(start, *(replace(each, temperature_c=48.5) for each in others)))
    logger = Recorder()
    report(logger, outcome=replace(outcome, profile=warm))
    assert series(logger.sets, "powertrain/temperature_c") == [48.5] * len(others)
    assert all("powertrain/time_ms" in row for _, row in logger.sets if "powertrain/temperature_c" in row)


def test_every_logger_gets_every_scalar() -> None:
    one, other = Recorder(), Recorder()
    outcome = verified(make_outcome())
    selection = outcome.selection
    assert selection.measured is not None
    report(one, other, outcome=outcome)
    assert one.sets == other.sets
    assert series(one.sets, "powertrain/phase") == [1, 2, 3, 4, 5, 6]
    measured = [*outcome.profile.measurements, selection.measured]
    assert series(one.sets, "powertrain/time_ms") == [each.time_ms for each in measured]
    assert series(one.sets, "powertrain/power_w") == [each.power_w for each in measured]
    assert series(one.sets, "powertrain/energy_j") == pytest.approx([each.energy_mj / 1e3 for each in measured])
    modes = [*(each.mode for each in outcome.profile.measurements), selection.mode, selection.measured.mode]
    for knob in outcome.modes.names:
        assert series(one.sets, f"powertrain/mode/{knob}") == [mode[knob] for mode in modes]
    assert series(one.sets, "powertrain/predicted_time_ms") == [selection.time_ms]
    assert series(one.sets, "powertrain/predicted_power_w") == [selection.power_w]
    assert series(one.sets, "powertrain/predicted_energy_j") == [selection.time_ms * selection.power_w / 1e3]
    assert series(one.sets, "powertrain/budget_power_w") == [30.0] * 3
    assert series(one.sets, "powertrain/profiling_s") == [250.0]
    assert series(one.sets, "powertrain/excess") == [0.0]
    assert all(type(value) is float for _, metrics in one.sets for value in metrics.values())
    steps = [step for step, _ in one.sets]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("simulated", [True, False])
def test_every_set_says_whether_it_is_simulated(simulated: bool) -> None:
    recorder = Recorder()
    report(recorder, simulated=simulated, outcome=verified(make_outcome(simulated=simulated)))
    assert [metrics["powertrain/simulated"] for _, metrics in recorder.sets] == [float(simulated)] * len(recorder.sets)


def test_a_missed_budget_is_logged() -> None:
    recorder = Recorder()
    outcome = verified(make_outcome(PowerBudget(5.0)))
    report(recorder, outcome=outcome)
    assert series(recorder.sets, "powertrain/predicted_excess") == [outcome.selection.excess]
    assert series(recorder.sets, "powertrain/excess") == [outcome.selection.measured_excess]
    assert outcome.selection.excess > 0


@pytest.mark.parametrize(
    ("objective", "names"),
    [
        (PowerBudget(30.0), {"budget_power_w"}),
        (TimeBudget(80.0), {"budget_time_ms"}),
        (None, {"budget_power_w", "budget_time_ms"}),
        (LeastEnergy(), set()),
    ],
)
def test_a_limit_is_in_each_set_from_the_choice_on_until_the_next_job(
    objective: Objective | None, names: set[str]
) -> None:
    recorder = Recorder()
    outcome = verified(make_outcome(objective))
    reporter = report(recorder, outcome=outcome)
    replay(reporter, outcome)
    chosen = False
    for _, metrics in recorder.sets:
        chosen = ("powertrain/predicted_time_ms" in metrics or chosen) and metrics.get("powertrain/phase") != 1
        assert {name for name in metrics if "/budget_" in name} == {f"powertrain/{name}" for name in names if chosen}


def test_loggers_with_a_separator_of_their_own_get_it() -> None:
    recorder = Recorder()
    recorder.group_separator = "."  # type: ignore[attr-defined]
    report(recorder)
    assert series(recorder.sets, "powertrain.mode.cores")[0] == 12
    assert not any("/" in name for _, metrics in recorder.sets for name in metrics)


def test_nothing_is_written_once_closed_until_another_job_begins() -> None:
    recorder = Recorder()
    outcome = verified(make_outcome())
    reporter = report(recorder, outcome=outcome)
    reporter.phase_changed(Phase.CLOSED)
    reporter.closed()
    reporter.closed()
    before = len(recorder.sets)
    assert recorder.sets[-1][1]["powertrain/phase"] == 7
    reporter.phase_changed(Phase.CLOSED)
    reporter.measured(outcome.selection.start, Progress(0, 0, 0.0))
    reporter.selected(outcome)
    reporter.verified(outcome)
    assert len(recorder.sets) == before
    replay(reporter, outcome)
    assert len(recorder.sets) == 2 * before - 1


def test_a_logger_that_fails_is_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            super().log_metrics(metrics, step)
            if len(self.sets) == 3:
                raise OSError("disk full")

    broken, healthy, whole = Broken(), Recorder(), Recorder()
    report(broken, healthy)
    report(whole)
    assert len(broken.sets) == 3
    assert healthy.sets == whole.sets
    assert len(caplog.records) == 1
    assert "Broken" in caplog.text
    assert "disk full" in caplog.text


class Shown(Recorder):
    """What looks like a WandbLogger, with a separator of its own."""

    group_separator = "."
    failing: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def log_table(self, key: str, columns: list[str], data: list[list[str]], step: int) -> None:
        assert all(len(row) == len(columns) for row in data)
        self._show("table", key)

    def log_image(self, key: str, images: list[Any], step: int) -> None:
        self._show("image", key)

    def _show(self, what: str, key: str) -> None:
        self.shown.append(key)
        if what in self.failing:
            raise OSError("no network")


CHOICE = ["powertrain.choice", "powertrain.choice_notes"]


def test_tables_and_the_figure_are_shown_at_the_choice_and_at_the_end() -> None:
    logger = Shown()
    report(logger)
    assert logger.shown == [
        "powertrain.modes",
        *CHOICE,
        "powertrain.pareto",
        *CHOICE,
        "powertrain.phases",
        "powertrain.pareto",
    ]


@pytest.mark.parametrize(
    ("failing", "shown"),
    [
        ("table", ["powertrain.modes"]),
        ("image", ["powertrain.modes", *CHOICE, "powertrain.pareto", *CHOICE, "powertrain.phases"]),
    ],
)
def test_what_cannot_be_shown_is_not_worth_the_rest(
    failing: str, shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    broken, healthy, whole = Shown(), Shown(), Shown()
    broken.failing = (failing,)
    report(broken, healthy)
    report(whole)
    assert broken.shown == shown
    assert broken.sets == healthy.sets
    assert len(healthy.sets) == len(whole.sets)
    assert len(caplog.records) == 1
    assert "no network" in caplog.text


def test_without_loggers_nothing_happens() -> None:
    report()


class Comet(Recorder):
    """Has methods of MLflow's names that mean something else."""

    class Experiment:
        def log_text(self, text: str) -> None:
            raise AssertionError

        def log_figure(self, figure_name: str) -> None:
            raise AssertionError

    experiment = Experiment()
    run_id = "a run"


def test_dummies_mocks_and_others_get_scalars_only(caplog: pytest.LogCaptureFixture) -> None:
    mock, comet = MagicMock(), Comet()
    report(DummyLogger(), mock, comet)
    assert caplog.records == []
    assert series(comet.sets, "powertrain/phase") == [1, 2, 3, 4, 5, 6]
    assert mock.log_metrics.call_args_list[0].args[0] == {"powertrain/simulated": 1.0, "powertrain/phase": 1.0}
    assert not mock.experiment.add_text.called
    assert not mock.experiment.add_figure.called


def test_csv_logger(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    outcome = verified(make_outcome())
    report(logger, outcome=outcome)
    logger.save()
    with (Path(logger.log_dir) / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = [float(row["powertrain/time_ms"]) for row in rows if row["powertrain/time_ms"]]
    assert times[:-1] == pytest.approx(outcome.profile.time_ms.tolist())
    assert {row["powertrain/simulated"] for row in rows} == {"1.0"}


def test_the_documentation_lists_every_name() -> None:
    names = [value for name, value in vars(loggers).items() if name.isupper() and isinstance(value, str)]
    documented = DOCS.read_text(encoding="utf-8")
    assert len(names) == 28
    for name in names:
        assert f"`{name}{'<knob>' if name.endswith('/') else ''}`" in documented
