"""The state that a job leaves in its checkpoints: valid at any time, and taken with care."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
from fakes import FakeDevice, true_power_w, true_time_ms
from jobs import Model, data, locked, trainer
from resuming import (
    RESUME_WARNINGS,
    broken_off,
    callback_for,
    gone_on,
    messages,
    only_plain,
    state_in,
)

from lightning_powertrain.errors import FileFormatError

pytestmark = RESUME_WARNINGS


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
        "no signal": {**state, "measurements": [{**first, "signals": {"gpu_load": "high"}}]},
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
    "no signal",
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
    assert message.startswith("PowerTrain: the power modes in the checkpoint cannot be used, and profiling starts over")
    strict = callback_for(tiny, strict=True)
    strict.load_state_dict(copy.deepcopy(state))
    with pytest.raises(FileFormatError, match="state of power-mode tuning in the checkpoint"):
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

    monkeypatch.setattr("lightning_powertrain.jobs.workload.workload_fingerprint", odd)
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
