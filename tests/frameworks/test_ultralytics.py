"""The callbacks for Ultralytics, on a stand-in for its trainer; and on its own interface where it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
import torch
from fakes import FakeDevice, arguments, true_power_w
from path_trace import PathTrace, assert_short
from yolo import EVENTS, Model

from lightning_powertrain import SimulatedDevice
from lightning_powertrain.errors import ArgumentError, BudgetError
from lightning_powertrain.tuning import Phase
from lightning_powertrain.ultralytics import ModelTuning, powertrain


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path)


def tuned(model: Model, device: Any, **options: Any) -> ModelTuning:
    usual: dict[str, Any] = {"budget": "13 W", "max_modes": 3, "max_share": 1.0, "verbose": False}
    return powertrain(model, device=device, **arguments(**{**usual, **options}))


def locked(tuning: ModelTuning) -> bool:
    return tuning.selection is not None and tuning.selection.measured is not None


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("lightning_powertrain")]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the watch of the call does, in real time."""
    end_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_it_keeps_the_best_mode_and_restores_the_board(slow: FakeDevice, model: Model, tmp_path: Path) -> None:
    tuning = tuned(model, slow)
    seen = []
    model.add_callback("on_train_batch_end", lambda trainer: seen.append(slow.mode))
    model.train()
    assert locked(tuning)
    assert tuning.selection is not None
    assert set(seen[-10:]) == {tuning.selection.mode}
    assert slow.mode == slow.found
    assert tuning.status.word == "closed"
    assert tuning.profile is not None
    assert tuning.profile.provenance.workload == "DetectionModel"
    assert (tmp_path / "powertrain" / "summary.json").exists()


@pytest.mark.parametrize("nbs", [4, 12])
def test_epochs_validation_and_checkpoints_are_not_measured(slow: FakeDevice, model: Model, nbs: int) -> None:
    tuning = tuned(model, slow)
    for event in ("on_train_epoch_end", "on_model_save", "on_fit_epoch_end"):
        model.add_callback(event, lambda trainer: slow.clock.advance(5.0))
    model.train(images=158, epochs=12, nbs=nbs)  # The last minibatch of an epoch is a short one.
    assert locked(tuning)
    assert tuning.profile is not None
    assert tuning.profile.time_ms == pytest.approx(fakes.true_time_ms(tuning.profile.modes), rel=1e-6)
    assert tuning.profile.power_w == pytest.approx(true_power_w(tuning.profile.modes), rel=1e-6)


@pytest.mark.parametrize(("nbs", "start_epoch"), [(4, 0), (12, 0), (12, 1), (20, 2)])
def test_cycles_end_with_the_steps_of_the_optimizer(
    slow: FakeDevice, model: Model, nbs: int, start_epoch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(
        "lightning_powertrain.tuner.Tuner.minibatch_ended", lambda self, cycle_complete: told.append(cycle_complete)
    )
    tuned(model, slow)
    model.train(epochs=4, nbs=nbs, start_epoch=start_epoch)
    assert [number for number, is_stepping in enumerate(told) if is_stepping] == model.trainer.steps


@pytest.mark.parametrize(
    ("options", "minibatches", "seconds"),
    [({}, 400, None), ({"start_epoch": 4}, 240, None), ({"time": 0.5}, None, 1800.0)],
)
def test_length_of_the_job(
    slow: FakeDevice, model: Model, options: Any, minibatches: Any, seconds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("lightning_powertrain.tuner.Tuner.start", lambda self, **about: told.append(about))
    monkeypatch.setattr(slow, "simulated", False)
    tuned(model, slow)
    model.train(**options)
    assert (told[0]["minibatches"], told[0]["seconds"], told[0]["prefetched"]) == (minibatches, seconds, 0)


def test_weights_are_equal_bit_for_bit(slow: FakeDevice, tmp_path: Path) -> None:
    models = [Model(tmp_path), Model(tmp_path)]
    tuning = tuned(models[0], slow)
    states = []
    for model in models:
        model.train()
        states.append(torch.get_rng_state())
    assert locked(tuning)
    assert torch.equal(*states)
    ours, plain = (model.model.state_dict() for model in models)
    assert all(torch.equal(value, plain[name]) for name, value in ours.items())


def test_a_plain_minibatch_passes_through_few_files(slow: FakeDevice, model: Model) -> None:
    tuning = tuned(model, slow)
    trace = PathTrace(lambda: tuning._tuner.active.phase if tuning._tuner.active else Phase.IDLE)
    (*_, start), (*_, end) = model.callbacks["on_train_batch_start"], model.callbacks["on_train_batch_end"]
    model.callbacks["on_train_batch_start"] = [trace.starts(start)]
    model.callbacks["on_train_batch_end"] = [trace.ends(end)]
    model.train()
    assert_short(trace, "ultralytics.py")


def test_a_simulated_board_trains_this_very_model(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    board = SimulatedDevice("orin-agx-64gb")
    monkeypatch.setattr("lightning_powertrain.jobs.tuner_factory.open_device", lambda name, seed: board)
    tuned(model, "simulated:orin-agx-64gb", budget="30 W", max_modes=5)
    model.train(epochs=1)
    assert board.workload.name == "generic"
    assert board.workload.minibatch_size == 4


@pytest.mark.parametrize("error", [ArithmeticError("the loss is NaN"), KeyboardInterrupt()])
@pytest.mark.parametrize("has_teardown", [True, False])
def test_an_error_in_training_restores_the_board(
    slow: FakeDevice, model: Model, error: BaseException, has_teardown: bool
) -> None:
    """Also in versions that report no error to their callbacks."""
    tuning = tuned(model, slow)

    def fail(number: int) -> None:
        if number == 50:
            assert slow.mode != slow.found
            raise error

    with pytest.raises(type(error)):
        model.train(fails=fail, has_teardown=has_teardown)
    assert has_teardown is (slow.mode == slow.found)
    until(lambda: slow.mode == slow.found and tuning.status.word == "closed")
    model.train()
    assert locked(tuning)


def test_each_training_is_a_job(slow: FakeDevice, model: Model) -> None:
    tuning = tuned(model, slow, cache=False)
    for _ in range(2):
        applied = len(slow.applied)
        model.train()
        assert locked(tuning)
        assert len(slow.applied) - applied >= 3


def test_a_second_call_replaces_the_first(slow: FakeDevice, model: Model) -> None:
    first = tuned(model, slow)
    second = tuned(model, slow, budget="energy")
    model.train()
    assert first.status.word == "idle"
    assert str(second.selection and second.selection.objective) == "least energy per minibatch"


def test_off_a_jetson_training_continues_with_one_warning(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    tuned(model, None, max_modes=5)
    model.train()
    (warning,) = warnings_of(caplog)
    assert "no Jetson found" in warning
    assert model.trainer.ended_batches == 400


def test_several_gpus_are_not_tuned(slow: FakeDevice, model: Model, caplog: pytest.LogCaptureFixture) -> None:
    tuning = tuned(model, slow)
    model.train(world_size=2)
    (warning,) = warnings_of(caplog)
    assert "2 GPUs" in warning
    assert slow.applied == []
    assert tuning.profile is None


def test_a_failure_of_ours_is_one_warning(slow: FakeDevice, model: Model, caplog: pytest.LogCaptureFixture) -> None:
    slow.fail_after = 2
    tuning = tuned(model, slow)
    model.train()
    assert len(warnings_of(caplog)) == 1
    assert tuning.status.word == "failed"
    assert model.trainer.ended_batches == 400


def test_a_trainer_that_is_not_as_expected_trains_untuned(
    slow: FakeDevice, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    tuning = tuned(model, slow)
    model.add_callback("on_pretrain_routine_end", lambda trainer: delattr(trainer, "accumulate"))
    model.train()
    (warning,) = warnings_of(caplog)
    assert "accumulate" in warning
    assert model.trainer.ended_batches == 400
    assert tuning.status.word == "failed"


def test_strict_raises(slow: FakeDevice, model: Model) -> None:
    tuned(model, slow, budget="1 W", strict=True)
    with pytest.raises(BudgetError, match="1 W"):
        model.train()


def test_wrong_arguments_are_named(model: Model) -> None:
    with pytest.raises(ArgumentError, match=r"^budget="):
        powertrain(model, "30 X")
    with pytest.raises(ArgumentError, match=r"^model="):
        powertrain("yolo11n.pt", "30 W")


def test_the_stand_in_has_the_interface_of_the_package(model: Model) -> None:
    package = pytest.importorskip("ultralytics", reason="ultralytics is not installed")
    from ultralytics.engine.trainer import BaseTrainer
    from ultralytics.utils.callbacks.base import default_callbacks

    assert set(EVENTS) <= set(default_callbacks)
    assert set(tuned(model, None, max_modes=5).callbacks()) <= set(EVENTS)
    assert {"train", "_do_train", "run_callbacks"} <= set(dir(BaseTrainer))
    assert {"add_callback", "train"} <= set(dir(package.YOLO))
