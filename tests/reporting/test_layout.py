"""The layout of custom scalars, as TensorBoard itself serves it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Callable

import pytest
from pytorch_lightning.loggers import TensorBoardLogger
from stories import make_outcome, replay, verified
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext

from lightning_powertrain.callbacks import power_log
from lightning_powertrain.reporting import LoggerReporter
from lightning_powertrain.reporting.loggers import CHARTS, COURSE_CHARTS
from lightning_powertrain.selection import LeastEnergy
from lightning_powertrain.tuning import JobRecord, PlannedJob, Spent

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # Of a package that TensorBoard brings along.
    from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
    from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin

THEIRS = {"training": {"loss": ["Multiline", ["loss"]]}}


Open = Callable[..., TensorBoardLogger]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens loggers of runs in one folder."""
    with ExitStack() as ending:

        def open_logger(version: str = "run", prefix: str = "") -> TensorBoardLogger:
            logger = TensorBoardLogger(tmp_path, name="", version=version, prefix=prefix)
            ending.callback(logger.finalize, "success")
            return logger

        yield open_logger


def job(logger: TensorBoardLogger, simulated: bool = True, **story: Any) -> None:
    outcome = verified(make_outcome(simulated=simulated, **story))
    replay(LoggerReporter(lambda: [logger], count().__next__, simulated=simulated), outcome)


class Served:
    """What TensorBoard answers its own page."""

    def __init__(self, *loggers: TensorBoardLogger) -> None:
        for logger in loggers:
            logger.experiment.flush()
        folder = str(Path(loggers[0].log_dir).parent)
        events = EventMultiplexer().AddRunsFromDirectory(folder)
        events.Reload()
        plugins: dict[str, Any] = {}
        about = TBContext(
            logdir=folder, data_provider=MultiplexerDataProvider(events, folder), plugin_name_to_instance=plugins
        )
        plugins["scalars"] = ScalarsPlugin(about)
        self._plugin = CustomScalarsPlugin(about)

    def layout(self) -> dict[str, dict[str, list[str]]]:
        """Patterns of each chart, by category and title."""
        found = json.loads(self._plugin.layout_impl(RequestContext(), ""))
        return {
            category["title"]: {chart["title"]: chart["multiline"]["tag"] for chart in category["chart"]}
            for category in found["category"]
        }

    def lines(self, pattern: str) -> set[str]:
        return set(self._plugin.scalars_impl(RequestContext(), "run", pattern, "")["tag_to_events"])


@pytest.mark.parametrize("prefix", ["", "job"])
def test_every_chart_shows_every_line(opened: Open, prefix: str) -> None:
    logger = opened(prefix=prefix)
    logger.log_metrics({power_log.POWER_W: 20.0, power_log.ENERGY_J: 5.0}, step=0)
    job(logger, objective=None)  # A budget of both time and power.
    served = Served(logger)
    (charts,) = served.layout().values()
    assert list(charts) == list(CHARTS)
    before = f"{prefix}-" if prefix else ""
    for title, patterns in charts.items():
        assert len(patterns) == len(CHARTS[title])
        for pattern, name in zip(patterns, CHARTS[title]):
            lines = served.lines(pattern)
            assert lines
            assert lines == {before + name}


def test_a_job_with_a_budget_for_the_whole_of_it_has_charts_of_its_course(opened: Open) -> None:
    logger = opened()
    outcome = verified(make_outcome())
    now = PlannedJob(Spent(600.0, 36_000.0), 1000, outcome.selection.mode, Spent(28_000.0, 1.8e6), None, 20_000.0)
    course = JobRecord("8 h", "time", 28_800.0, 50_000).with_point(now)
    observer = LoggerReporter(lambda: [logger], count().__next__, simulated=True, has_course=True)
    replay(observer, outcome)
    observer.planned(replace(outcome, course=course))
    served = Served(logger)
    (charts,) = served.layout().values()
    assert list(charts) == [*CHARTS, *COURSE_CHARTS]
    for title, names in COURSE_CHARTS.items():
        assert [served.lines(pattern) for pattern in charts[title]] == [{name} for name in names]


def test_what_is_not_continuous_has_no_chart(opened: Open) -> None:
    """A chart would show 8.5 cores: TensorBoard smooths the lines, and joins the points."""
    logger = opened()
    job(logger)
    served = Served(logger)
    (charts,) = served.layout().values()
    drawn = {line for patterns in charts.values() for pattern in patterns for line in served.lines(pattern)}
    assert not any(word in line for line in drawn for word in ("/mode/", "phase", "throttled"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_layout_of_a_user_stays(opened: Open, when: str) -> None:
    logger = opened()
    if when == "before":
        logger.experiment.add_custom_scalars(THEIRS)
    job(logger)
    if when == "after":
        logger.experiment.add_custom_scalars(THEIRS)
    assert Served(logger).layout() == {"training": {"loss": ["loss"]}}


def test_layouts_of_several_runs_are_shown_together(opened: Open) -> None:
    logger, other = opened(), opened("other")
    other.experiment.add_custom_scalars(THEIRS)
    job(logger)
    assert Served(logger, other).layout().keys() == {"training", "powertrain (SIMULATED)"}


@pytest.mark.parametrize("simulated", [True, False])
def test_it_says_whether_it_is_simulated(opened: Open, simulated: bool) -> None:
    logger = opened()
    job(logger, simulated)
    assert list(Served(logger).layout()) == ["powertrain (SIMULATED)" if simulated else "powertrain"]


def test_it_is_written_once_a_run(opened: Open) -> None:
    logger = opened()
    job(logger)
    job(logger)
    job(opened(), objective=LeastEnergy())
    written = [path.read_bytes().count(b"custom_scalars__config__") for path in Path(logger.log_dir).glob("*tfevents*")]
    assert sorted(written) == [0, 1]
