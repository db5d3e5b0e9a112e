"""Jobs that break off and go on from a checkpoint: with what was measured, on the same board or another, or without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from fakes import FakeDevice
from jobs import Model, data, locked, trainer
from resuming import (
    LOCKED_AT,
    RESUME_WARNINGS,
    Crash,
    Modes,
    broken_off,
    callback_for,
    gone_on,
    messages,
    modes_of,
    only_plain,
    state_in,
)

from lightning_powertrain.logs import page

pytestmark = RESUME_WARNINGS


@pytest.mark.parametrize("at", [1, 5, 60, 200, 420, LOCKED_AT, 1100])
def test_a_job_goes_on_from_where_it_was(
    tiny: FakeDevice,
    tmp_path: Path,
    at: int,
    brute_force: Callable[[float], tuple[float, float]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "broken-off.ckpt"
    first = callback_for(tiny)
    broken_off(path, at, first)
    assert tiny.mode == tiny.found
    state = state_in(path)
    assert only_plain(state)
    assert locked(first) == (at >= LOCKED_AT)
    before = set() if first.profile is None else modes_of(first.profile)
    tiny.applied.clear()
    modes, second = Modes(tiny), callback_for(tiny)
    gone_on(path, modes, second)
    assert second.outcome is not None
    assert second.selection is not None
    assert second.selection.measured is not None
    assert (second.selection.measured.time_ms, second.selection.measured.power_w) == pytest.approx(brute_force(13.0))
    assert modes_of(second.profile) >= before
    measured_again = before & {each.mode for each in second.outcome.measured_now}
    if at >= LOCKED_AT:
        assert first.selection is not None
        assert set(modes.seen) == {first.selection.mode}, "not one minibatch ran in another mode"
        assert measured_again == {first.selection.mode}
    else:
        assert measured_again <= {second.selection.mode}
    assert messages(caplog) == []
    assert tiny.mode == tiny.found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, torch.Tensor]]:
    """Weights of a job that broke off after so many minibatches and went on, without the callback."""

    @lru_cache(maxsize=None)
    def weights(at: int) -> dict[str, torch.Tensor]:
        path = tmp_path_factory.mktemp("plain") / "broken-off.ckpt"
        broken_off(path, at)
        return gone_on(path)

    return weights


@pytest.mark.parametrize("at", [60, 420, 1100])
@pytest.mark.parametrize(("before", "after"), [(True, True), (True, False), (False, True)])
def test_weights_are_those_of_a_job_without_the_callback(
    tiny: FakeDevice,
    tmp_path: Path,
    plain: Callable[[int], dict[str, torch.Tensor]],
    at: int,
    before: bool,
    after: bool,
) -> None:
    """The callback absent before or afterwards: training knows nothing of it."""
    tuned, expected = tmp_path / "tuned.ckpt", plain(at)
    broken_off(tuned, at, *([callback_for(tiny)] if before else []))
    second = callback_for(tiny)
    weights = gone_on(tuned, *([second] if after else []))
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
    assert locked(second) == (after and (before or at < 1100))


def test_on_another_board_it_starts_over_and_says_so(
    tiny: FakeDevice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 100, callback_for("simulated:orin-agx-64gb:resnet18", budget="30 W"))
    second = callback_for(tiny)
    gone_on(path, second)
    assert locked(second)
    assert second.outcome is not None
    assert second.outcome.reused == frozenset()
    assert messages(caplog)[-1] == (
        "PowerTrain: the checkpoint is of another board (orin-agx-64gb): profiling starts over. "
        f"See {page('checkpoints.md')}"
    )


def test_two_boards_of_a_kind_are_two_boards(
    tiny: FakeDevice, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 300, callback_for(tiny))
    monkeypatch.setattr(tiny, "board", replace(tiny.board, identity={"serial": "2"}))
    gone_on(path, callback_for(tiny))
    assert "another board" in caplog.text


def test_another_workload_starts_over_and_says_so(
    tiny: FakeDevice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 300, callback_for(tiny))
    second = callback_for(tiny)
    trainer(second, max_epochs=3).fit(Model(), data(750, size=8), ckpt_path=path)
    assert locked(second)
    assert second.outcome is not None
    assert second.outcome.reused == frozenset()
    assert "the checkpoint is of another workload" in caplog.text


def test_another_budget_makes_another_choice_from_what_was_measured(
    tiny: FakeDevice, tmp_path: Path, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 1100, callback_for(tiny))
    tiny.applied.clear()
    second = callback_for(tiny, budget="9 W")
    gone_on(path, second)
    assert second.selection is not None
    assert (second.selection.time_ms, second.selection.power_w) == pytest.approx(brute_force(9.0))
    assert len(tiny.applied) <= 3


def test_a_computer_that_cannot_tune_hands_the_state_on(tiny: FakeDevice, tmp_path: Path) -> None:
    """From the board to a laptop for a while, and back."""
    path, on = tmp_path / "broken-off.ckpt", tmp_path / "handed-on.ckpt"
    broken_off(path, 1100, callback_for(tiny))
    elsewhere = callback_for(None)
    with pytest.raises(RuntimeError, match="power failure"):
        trainer(elsewhere, Crash(1200, on)).fit(Model(), data(1500), ckpt_path=path)
    assert state_in(on) == state_in(path) != {}
