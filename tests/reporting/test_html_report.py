"""The report: its facts and its HTML."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stories import BOARD, Foreseen, make_outcome, measured_as, on_orin, verified, with_intervals

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.reporting import summary, write_run
from lightning_powertrain.reporting.html_report import html_report, why
from lightning_powertrain.reporting.predicted import predicted_modes
from lightning_powertrain.reporting.saved_run import SavedRun, run_folder
from lightning_powertrain.reporting.tables import quantity
from lightning_powertrain.selection import LeastEnergy, PowerBudget, TimeBudget, pareto_front
from lightning_powertrain.tuning import EnergyRates, Outcome

_VOID = {"meta", "link"}


class Page(HTMLParser):
    """Refuses tags that do not match, and keeps the text, the tags and all attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def saved(outcome: Outcome, folder: Path) -> SavedRun:
    write_run(outcome, folder)
    return SavedRun.load(folder)


@pytest.mark.parametrize("objective", [PowerBudget(30.0), TimeBudget(80.0), LeastEnergy(), None, PowerBudget(1e3)])
def test_it_is_well_formed_and_refers_to_nothing_outside(objective: Any, tmp_path: Path) -> None:
    run = saved(with_intervals(on_orin(verified(make_outcome(objective)))), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert not [value for _, value in page.attributes if "//" in value]
    assert "url(" not in text
    assert "@import" not in text
    assert run.summary["budget"]["objective"] in page.text
    assert "nan" not in page.text.split()


def test_it_says_what_was_chosen_what_it_saves_and_where_it_comes_from(tmp_path: Path) -> None:
    outcome = with_intervals(on_orin(verified(make_outcome())))
    measured = outcome.selection.measured
    assert measured is not None
    page = Page(html_report(saved(outcome, tmp_path))).text
    assert f"{outcome.selection.mode} is the best in 13 measurements for the budget (fastest within 30 W)" in page
    for name in ("MAXN", "MODE_15W", "MODE_30W", "MODE_50W", "lstm on board-x, SIMULATED", "lightning-powertrain"):
        assert name in page
    assert f"{measured.time_ms:.1f} ms" in page
    assert f"{measured.power_w:.1f} W" in page


def test_hours_and_watt_hours_of_the_whole_job_stand_beside_each_mode(tmp_path: Path) -> None:
    outcome = on_orin(verified(make_outcome()))
    assert "whole job" not in Page(html_report(saved(outcome, tmp_path))).text
    known = replace(outcome, minibatches=100_000, rates=EnergyRates(0.4, 250))
    run = saved(known, tmp_path)
    page = Page(html_report(run)).text
    assert "minibatch energy whole job paid back after" in page
    for each in (run.summary["job"]["chosen"], *(known["job"] for known in run.summary["compared"])):
        hours, watt_hours = quantity(each["seconds"] / 3600, "h"), quantity(each["energy_j"] / 3600, "Wh")
        assert f"{hours} {watt_hours} price {each['energy_j'] / 3.6e6 * 0.4:.2g} (0.4 a kWh), " in page


@pytest.mark.parametrize("simulated", [True, False])
def test_what_is_simulated_says_so(simulated: bool, tmp_path: Path) -> None:
    page = Page(html_report(saved(verified(make_outcome(simulated=simulated)), tmp_path)))
    assert ("SIMULATED" in page.text) is simulated
    assert (("class", "simulated") in page.attributes) is simulated


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    outcome = verified(make_outcome(workload='<script>alert("x")</script>&'))
    page = Page(html_report(saved(outcome, tmp_path)))
    assert "script" not in page.tags
    assert '<script>alert("x")</script>&' in page.text


def test_the_sentence_names_a_missed_budget_a_kept_start_and_what_was_not_measured(tmp_path: Path) -> None:
    outcome = make_outcome(PowerBudget(30.0))
    start = outcome.selection.start
    missed = measured_as(outcome, replace(start, mode=outcome.selection.mode, power_w=31.5))
    assert "misses the budget (fastest within 30 W) by 1.50 W" in why(saved(missed, tmp_path))
    free = make_outcome(LeastEnergy())
    stays = measured_as(replace(free, selection=replace(free.selection, mode=start.mode)), start)
    assert why(saved(stays, tmp_path)).startswith("The start mode stays (12 cores")
    assert "not measured" in why(saved(outcome, tmp_path))
    narrow = measured_as(outcome, replace(start, mode=outcome.selection.mode, power_w=29.99))
    assert "by no more than noise" in why(saved(narrow, tmp_path))


def test_known_modes_are_measured_where_they_were_and_else_predicted() -> None:
    outcome = with_intervals(on_orin(verified(make_outcome())))
    known = {name: each for each in summary(outcome)["compared"] for name in each["names"]}
    assert set(known) == {"start", "MAXN", "MODE_15W", "MODE_30W", "MODE_50W"}
    assert known["start"] is known["MAXN"], "the story starts in the highest mode"
    assert known["start"]["measured"]
    assert known["start"]["time_ms"] == outcome.selection.start.time_ms
    caps = load_board("orin-agx-64gb").presets[1].caps
    row = next(
        row
        for row in range(len(BOARD) - 1, -1, -1)
        if all(value <= caps[name] for name, value in BOARD.mode(row).items())
    )
    preset = known["MODE_15W"]
    assert (preset["measured"], preset["mode"]) == (False, dict(BOARD.mode(row)))
    assert preset["time_ms"] == outcome.forecast.prediction.time_ms[row]
    assert preset["time_range_ms"] == pytest.approx([0.9 * preset["time_ms"], 1.1 * preset["time_ms"]], rel=1e-3)


@pytest.mark.parametrize(
    ("mask", "others"),
    [
        (None, {"MODE_15W", "MODE_30W"}),
        ("0", {"MODE_15W", "MODE_30W"}),
        ("240", {"MAXN", "MODE_15W", "MODE_50W"}),
    ],
    ids=["simulated: all clusters on", "all clusters on", "half of them"],
)
def test_presets_with_other_gpu_clusters_are_marked(mask: str | None, others: set[str], tmp_path: Path) -> None:
    outcome = on_orin(verified(make_outcome()))
    outcome.profile.provenance.details.update({} if mask is None else {"tpc_pg_mask": mask})
    marked = {name for known in summary(outcome)["compared"] for name in known["not_comparable"]}
    assert marked == others
    page = html_report(saved(outcome, tmp_path))
    for name in ("MAXN", "MODE_15W", "MODE_30W", "MODE_50W"):
        assert (f"{name} (not comparable)" in page) == (name in others)


def test_the_front_is_that_of_all_modes_and_the_file_stays_small(tmp_path: Path) -> None:
    outcome = with_intervals(verified(make_outcome()))
    found, prediction = predicted_modes(outcome, math.inf), outcome.forecast.prediction
    rows = pareto_front(prediction.time_ms, prediction.power_w)
    assert [each["mode"] for each in found["front"]] == [dict(BOARD.mode(int(row))) for row in rows]
    assert [each["power_w"] for each in found["front"]] == pytest.approx(list(prediction.power_w[rows]), rel=1e-3)
    fitted = prediction.time_ms[[BOARD.index(each.mode) for each in outcome.profile.measurements]]
    assert found["fitted"]["time_ms"] == pytest.approx(list(fitted), rel=1e-3)
    write_run(outcome, tmp_path)
    assert (tmp_path / "summary.json").stat().st_size < 100_000


def test_impossible_predictions_are_left_out_of_the_plot(tmp_path: Path) -> None:
    outcome = verified(make_outcome())
    times = np.where(np.arange(len(BOARD)) % 3 == 0, -1.0, outcome.forecast.prediction.time_ms)
    run = saved(replace(outcome, forecast=Foreseen(replace(outcome.forecast.prediction, time_ms=times))), tmp_path)
    assert min(run.summary["predicted"]["others"]["time_ms"]) > 0
    Page(html_report(run))


def test_a_start_in_the_lowest_mode_is_called_that(tmp_path: Path) -> None:
    outcome = verified(make_outcome())
    sentence = "The start is the lowest mode of the board"
    assert sentence not in Page(html_report(saved(outcome, tmp_path))).text
    start = replace(outcome.selection.start, mode=BOARD.mode(0))
    lowest = replace(outcome, selection=replace(outcome.selection, start=start))
    assert sentence in Page(html_report(saved(lowest, tmp_path))).text


def test_throttling_is_reported(tmp_path: Path) -> None:
    outcome = verified(make_outcome())
    hot = replace(outcome.profile.measurements[3], throttled_by="cpu-throttle-alert")
    profile = outcome.profile.with_measurements([hot, hot])
    page = Page(html_report(saved(replace(outcome, profile=profile), tmp_path))).text
    assert "The board throttled in 2 windows, left out of the choice (cpu-throttle-alert)." in page
    assert f"Not chosen, since it throttles there: {hot.mode}" in page
    profile = outcome.profile.with_measurements([hot])
    page = Page(html_report(saved(replace(outcome, profile=profile), tmp_path))).text
    assert "The board throttled in 1 window, left out of the choice" in page


def test_a_folder_without_a_run_and_a_damaged_one_are_distinguished(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"summary\.json"):
        run_folder(tmp_path)
    folder = tmp_path / "version_0" / "powertrain"
    write_run(verified(make_outcome()), folder)
    kept = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    del kept["compared"]
    (folder / "summary.json").write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(FileFormatError, match="compared"):
        html_report(SavedRun.load(folder))
    (folder / "summary.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileFormatError, match="format None"):
        SavedRun.load(folder)


def test_the_newest_run_below_a_folder_is_found(tmp_path: Path) -> None:
    folders = [tmp_path / name / "powertrain" for name in ("version_0", "version_1", "version_2")]
    for folder, age_s in zip(folders, (300, 100, 200)):
        write_run(verified(make_outcome()), folder)
        write_run(verified(make_outcome()), folder / "correction-1")
        os.utime(folder / "summary.json", (1e9 - age_s, 1e9 - age_s))
    assert run_folder(tmp_path) == folders[1]
    assert run_folder(tmp_path / "version_2") == run_folder(folders[2]) == folders[2]
    assert run_folder(folders[2] / "correction-1") == folders[2] / "correction-1"
