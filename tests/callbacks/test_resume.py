"""Jobs that break off and go on from a checkpoint: with what was measured, on the same board or another, or without."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, true_power_w, true_time_ms
from jobs import LIGHTNING_WARNINGS, Model, data, locked, powertrain, trainer
from torch import Tensor

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.profiling import Profile

pytestmark = [
    *LIGHTNING_WARNINGS,
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
]

LOCKED_AT = 900
"""By this minibatch a mode is locked."""


def callback_for(device: Any, **options: Any) -> PowerTrainCallback:
    """One that remembers by checkpoints alone."""
    return powertrain(device, **{"budget": "13 W", "modes": 6, "cache": False, **options})


class Crash(pl.Callback):
    """Saves a checkpoint after so many minibatches, and breaks off."""

    def __init__(self, at: int, path: Path) -> None:
        self.at, self.path = at, path

    def on_train_batch_end(self, job: pl.Trainer, module: pl.LightningModule, *details: Any) -> None:
        if job.fit_loop.total_batch_idx + 1 == self.at:
            job.save_checkpoint(self.path)
            raise RuntimeError("power failure")


class Modes(pl.Callback):
    """The mode in which each minibatch ran."""

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.seen: list[Any] = []

    def on_before_optimizer_step(self, *details: Any) -> None:
        self.seen.append(self.device.mode)


def broken_off(path: Path, at: int, *callbacks: pl.Callback, model: Model | None = None, **options: Any) -> None:
    pl.seed_everything(7)
    with pytest.raises(RuntimeError, match="power failure"):
        trainer(*callbacks, Crash(at, path), **options).fit(model or Model(), data(1500))


def gone_on(path: Path, *callbacks: pl.Callback, **options: Any) -> dict[str, Tensor]:
    """Weights at the end of the job."""
    model = Model()
    trainer(*callbacks, **options).fit(model, data(1500), ckpt_path=path)
    return {name: value.clone() for name, value in model.state_dict().items()}


def state_in(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, which torch loads without trusting it."""
    state = torch.load(path, weights_only=True)["callbacks"].get("PowerTrainCallback", {})
    return dict(state)


def only_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(only_plain, value.values()))
    return all(map(only_plain, value)) if type(value) is list else type(value) in (str, int, float, bool, type(None))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def modes_of(profile: Profile | None) -> set[Any]:
    assert profile is not None
    return {each.mode for each in profile.measurements}


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


@pytest.mark.parametrize("at", [60, 420, 1100])
@pytest.mark.parametrize(("before", "after"), [(True, True), (True, False), (False, True)])
def test_weights_are_those_of_a_job_without_the_callback(
    tiny: FakeDevice, tmp_path: Path, at: int, before: bool, after: bool
) -> None:
    """The callback absent before or afterwards: training knows nothing of it."""
    plain, tuned = tmp_path / "plain.ckpt", tmp_path / "tuned.ckpt"
    broken_off(plain, at)
    expected = gone_on(plain)
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
        "PowerTrain: the checkpoint is of another board (orin-agx-64gb): measuring power modes starts over. "
        "See docs/checkpoints.md"
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


# Any time, and anything.


def test_the_state_is_valid_at_any_time(tiny: FakeDevice) -> None:
    callback = callback_for(tiny)
    assert callback.state_dict() == {}
    states: list[dict[str, Any]] = []

    class Ask(pl.Callback):
        def on_train_start(self, *details: Any) -> None:
            states.append(callback.state_dict())

        def on_train_batch_end(self, *details: Any) -> None:
            states.append(callback.state_dict())

        on_fit_end = on_train_end = on_train_start

    trainer(callback, Ask()).fit(Model(), data(1000))
    assert all(map(only_plain, states))
    counts = [len(state.get("measurements", ())) for state in states]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] >= 7
    assert states[0] == {}
    assert states[-1] == callback.state_dict()
    assert next(state for state in states if state)["kept"] is None
    assert states[-1]["kept"] == dict(callback.selection.mode)  # type: ignore[union-attr]


def test_a_state_that_was_loaded_is_handed_on_until_something_was_measured(tiny: FakeDevice) -> None:
    """As BatchSizeFinder and LearningRateFinder do: they save, train a little, and load again, before the job."""
    first = callback_for(tiny)
    trainer(first).fit(Model(), data(1000))
    state = first.state_dict()
    second = callback_for(tiny)
    second.load_state_dict(copy.deepcopy(state))
    second.load_state_dict(copy.deepcopy(second.state_dict()))
    assert second.state_dict() == state
    tiny.applied.clear()
    trainer(second).fit(Model(), data(1000))
    assert locked(second)
    assert len(tiny.applied) == 1


@pytest.mark.parametrize("finder", [pl.callbacks.LearningRateFinder, pl.callbacks.BatchSizeFinder])
def test_finders_save_and_load_around_it(
    tiny: FakeDevice, tmp_path: Path, finder: type[pl.Callback], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tunable(Model):
        def __init__(self) -> None:
            super().__init__()
            self.lr, self.batch_size = 1e-3, 4

        def train_dataloader(self) -> Any:
            return data(4000 // self.batch_size, size=self.batch_size)

    options = (
        {"num_training_steps": 5}
        if finder is pl.callbacks.LearningRateFinder
        else {"steps_per_trial": 2, "max_trials": 1}
    )
    callback = callback_for(tiny)
    job = trainer(finder(**options), callback, max_epochs=3, default_root_dir=tmp_path, enable_checkpointing=True)
    job.fit(Tunable())
    assert locked(callback)


class Counting(FakeDevice):
    """Counts in numbers of numpy, as a driver might."""

    def __init__(self) -> None:
        super().__init__()
        self.settle_s = np.float64(0.2)  # type: ignore[assignment]


def test_numbers_of_numpy_stay_out_of_checkpoints(tiny: FakeDevice, tmp_path: Path) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 1100, callback_for(Counting()))
    assert only_plain(state_in(path))
    assert state_in(path)["kept"] is not None


def damaged(state: dict[str, Any], how: str) -> Any:
    first = state["measurements"][0]
    return {
        "another version": {**state, "version": 99},
        "nothing of ours": {"weights": 3},
        "no dictionary": [1, 2],
        "a missing part": {key: value for key, value in state.items() if key != "measurements"},
        "a wrong type": {**state, "measurements": 7},
        "no time": {**state, "measurements": [{**first, "time_ms": float("nan")}]},
        "no number": {**state, "measurements": [{**first, "power_w": "much"}]},
        "a knob too few": {**state, "measurements": [{**first, "mode": {"cores": 4}}]},
        "no knobs": {**state, "kept": "maximum"},
        "no provenance": {**state, "about": {"colour": "green"}},
    }[how]


DAMAGES = (
    "another version",
    "nothing of ours",
    "no dictionary",
    "a missing part",
    "a wrong type",
    "no time",
    "no number",
    "a knob too few",
    "no knobs",
    "no provenance",
)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_state_is_one_warning_and_a_fresh_start(
    tiny: FakeDevice, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = callback_for(tiny)
    trainer(first).fit(Model(), data(1000))
    state = damaged(first.state_dict(), how)
    second = callback_for(tiny)
    second.load_state_dict(copy.deepcopy(state))
    assert isinstance(second.state_dict(), dict)
    trainer(second).fit(Model(), data(1000))
    assert locked(second)
    assert second.outcome is not None
    assert second.outcome.reused == frozenset()
    (message,) = messages(caplog)
    assert message.startswith("PowerTrain: measuring power modes starts over: what the checkpoint holds")
    strict = callback_for(tiny, strict=True)
    strict.load_state_dict(copy.deepcopy(state))
    with pytest.raises(FileFormatError, match="what the checkpoint holds"):
        trainer(strict).fit(Model(), data(100))


def test_a_second_fit_begins_anew(tiny: FakeDevice) -> None:
    callback = callback_for(tiny)
    for _ in range(2):
        tiny.applied.clear()
        trainer(callback).fit(Model(), data(1000))
        assert len(tiny.applied) >= 6


def test_no_fingerprint_is_no_reason_not_to_go_on(
    tiny: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(*details: object) -> str:
        raise TypeError("this minibatch cannot be described")

    monkeypatch.setattr("lightning_powertrain.callbacks.memory.workload_fingerprint", odd)
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 1100, callback_for(tiny, cache=tmp_path / "cache"))
    tiny.applied.clear()
    second = callback_for(tiny, cache=tmp_path / "cache")
    gone_on(path, second)
    assert locked(second)
    assert len(tiny.applied) == 1
    assert not (tmp_path / "cache").exists()
    assert messages(caplog) == []


def test_what_is_measured_is_right_after_a_resume(tiny: FakeDevice, tmp_path: Path) -> None:
    path = tmp_path / "broken-off.ckpt"
    broken_off(path, 300, callback_for(tiny))
    second = callback_for(tiny)
    gone_on(path, second)
    assert second.profile is not None
    assert second.profile.time_ms == pytest.approx(true_time_ms(second.profile.modes), rel=1e-6)
    assert second.profile.power_w == pytest.approx(true_power_w(second.profile.modes), rel=1e-6)
