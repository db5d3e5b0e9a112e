"""The callback for Hugging Face's Trainer, in jobs of the real package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
import pytest
import torch
from fakes import FakeDevice, true_power_w

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

from hf_jobs import At, Data, EvaluationTakes, Stream, locked, powertrain, trainer, weights
from path_trace import PathTrace, assert_short
from transformers import EarlyStoppingCallback, TrainerCallback

import lightning_powertrain
from lightning_powertrain import SimulatedDevice
from lightning_powertrain.huggingface import PowerTrainCallback
from lightning_powertrain.tuning import Phase

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory"),
    pytest.mark.filterwarnings("ignore:.*lr_scheduler.step"),
]


def assert_measured_as_it_is(callback: PowerTrainCallback) -> None:
    profile = callback.profile
    assert profile is not None
    assert profile.time_ms == pytest.approx(fakes.true_time_ms(profile.modes), rel=1e-6)
    assert profile.power_w == pytest.approx(true_power_w(profile.modes), rel=1e-6)


def test_it_keeps_the_best_mode_and_restores_the_board(slow: FakeDevice, tmp_path: Path) -> None:
    seen = []
    callback = powertrain(slow, max_modes=5)

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            seen.append(slow.mode)

    trainer(tmp_path, callback, Watch()).train()
    assert locked(callback)
    assert callback.selection is not None
    assert set(seen[-10:]) == {callback.selection.mode}
    assert len(set(seen)) >= 5
    assert slow.mode == slow.found
    assert callback.status.word == "closed"
    assert_measured_as_it_is(callback)
    assert callback.profile is not None
    assert callback.profile.provenance.workload == "Model"
    assert (tmp_path / "powertrain" / "summary.json").exists()


def test_weights_are_equal_bit_for_bit(slow: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(slow)
    tuned = trainer(tmp_path / "tuned", callback)
    tuned.train()
    state = torch.get_rng_state()
    plain = trainer(tmp_path / "plain")
    plain.train()
    assert locked(callback)
    assert torch.equal(torch.get_rng_state(), state)
    for (name, value), other in zip(weights(tuned).items(), weights(plain).values()):
        assert torch.equal(value, other), name


def test_a_plain_minibatch_passes_through_few_files(slow: FakeDevice, tmp_path: Path) -> None:
    callback: Any = powertrain(slow)
    trace = PathTrace(lambda: callback._tuner.active.phase if callback._tuner.active else Phase.IDLE)
    callback.on_step_begin = trace.starts(callback.on_step_begin)
    callback.on_step_end = trace.ends(callback.on_step_end)
    trainer(tmp_path, callback).train()
    assert_short(trace, "huggingface.py")


def test_a_simulated_board_trains_this_very_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = SimulatedDevice("orin-agx-64gb")
    monkeypatch.setattr("lightning_powertrain.jobs.tuner_factory.open_device", lambda name, seed: board)
    trainer(tmp_path, powertrain("simulated:orin-agx-64gb", budget="30 W", max_modes=5), max_steps=3).train()
    assert board.workload.name == "generic"
    assert board.workload.minibatch_size == 4


@pytest.mark.parametrize(
    "options",
    [
        {"gradient_accumulation_steps": 3},
        {"eval_strategy": "steps", "eval_steps": 7, "evaluates": True},
        {"save_strategy": "steps", "save_steps": 25, "save_total_limit": 1},
        {"num_train_epochs": 14, "data": Data(46)},
        {"num_train_epochs": 30, "data": Data(46), "gradient_accumulation_steps": 3},
        {"dataloader_num_workers": 1},
        {"max_steps": 160, "data": Stream()},
        {"logging_strategy": "steps", "logging_steps": 1},
    ],
    ids=lambda options: ", ".join(options),
)
def test_whatever_happens_around_minibatches_is_not_measured(
    slow: FakeDevice, tmp_path: Path, options: dict[str, Any]
) -> None:
    callback = powertrain(slow)
    trainer(tmp_path, EvaluationTakes(slow, 5.0), callback, **options).train()
    assert locked(callback)
    assert_measured_as_it_is(callback)


@pytest.mark.parametrize(
    ("options", "minibatches"),
    [
        ({}, 160),
        ({"max_steps": 30}, 30),
        ({"max_steps": 30, "gradient_accumulation_steps": 4}, 120),
        ({"num_train_epochs": 2, "data": Data(46)}, 24),
        ({"num_train_epochs": 2, "data": Data(46), "gradient_accumulation_steps": 5}, 24),
        ({"max_steps": 10, "data": Stream(), "gradient_accumulation_steps": 2}, 20),
    ],
)
def test_length_of_the_job(
    slow: FakeDevice, tmp_path: Path, options: dict[str, Any], minibatches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    callback = powertrain(slow)
    monkeypatch.setattr("lightning_powertrain.tuner.Tuner.start", lambda self, **about: told.append(about))
    trainer(tmp_path, callback, **options).train()
    assert [about["minibatches"] for about in told] == [minibatches]
    assert slow.minibatches == 0


def test_prefetched_minibatches(slow: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("lightning_powertrain.tuner.Tuner.start", lambda self, **about: told.append(about))
    options = {"dataloader_num_workers": 2, "dataloader_prefetch_factor": 3, "max_steps": 1}
    trainer(tmp_path, powertrain(slow), **options).train()
    assert told[0]["prefetched"] == 6


def test_a_resumed_job_continues_from_what_was_measured(slow: FakeDevice, tmp_path: Path) -> None:
    first = powertrain(slow, cache=False)
    trainer(tmp_path, first, save_strategy="steps", save_steps=60, max_steps=60, save_total_limit=1).train()
    assert first.profile is not None
    state = json.loads((tmp_path / "checkpoint-60" / "trainer_state.json").read_text(encoding="utf-8"))
    assert len(state["stateful_callbacks"]["lightning_powertrain"]["measurements"]) == len(first.profile)
    second = powertrain(slow, cache=False)
    trainer(tmp_path, second).train(resume_from_checkpoint=True)
    assert locked(second)
    assert second.outcome is not None
    assert second.outcome.reused & {each.mode for each in first.profile.measurements[1:]}


def test_a_job_that_resumes_from_a_checkpoint_without_tuning(slow: FakeDevice, tmp_path: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 10}
    trainer(tmp_path, max_steps=10, **saving).train()
    callback = powertrain(slow)
    trainer(tmp_path, callback, save_strategy="steps", save_steps=100).train(resume_from_checkpoint=True)
    assert locked(callback)
    assert (tmp_path / "checkpoint-160").is_dir()


def test_a_trainer_that_restores_its_callbacks_keeps_this_one(slow: FakeDevice, tmp_path: Path) -> None:
    options = {"restore_callback_states_from_checkpoint": True, "save_strategy": "steps", "save_steps": 60}
    trainer(tmp_path, powertrain(slow, cache=False), max_steps=60, **options).train()
    callback = powertrain(slow, cache=False)
    trainer(tmp_path, callback, **options).train(resume_from_checkpoint=True)
    assert locked(callback)


def test_early_stopping_restores_the_board(slow: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(slow)

    def stop(control: Any) -> Any:
        control.should_training_stop = True
        return control

    trainer(tmp_path, callback, At(60, stop)).train()
    assert slow.mode == slow.found
    assert callback.status.word == "closed"


def test_early_stopping_of_transformers(slow: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(slow)
    options = {
        "eval_strategy": "steps",
        "eval_steps": 20,
        "save_strategy": "steps",
        "save_steps": 20,
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "learning_rate": 0.0,
        "evaluates": True,
    }
    done = trainer(tmp_path, callback, EarlyStoppingCallback(2), **options)
    done.train()
    assert done.state.global_step < 160
    assert slow.mode == slow.found


def test_each_call_of_train_is_a_job(slow: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(slow, cache=False)
    twice = trainer(tmp_path, callback, max_steps=130)
    for _ in range(2):
        applied = len(slow.applied)
        twice.train()
        assert locked(callback)
        assert len(slow.applied) - applied >= 3


def test_what_is_measured_goes_to_the_trackers(slow: FakeDevice, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    callback = powertrain(slow)
    trainer(tmp_path, callback, report_to="tensorboard", logging_strategy="steps", logging_steps=20).train()
    (file,) = tmp_path.glob("runs/*/events*")
    logged = events.EventAccumulator(str(file.parent))
    logged.Reload()
    assert callback.profile is not None
    times = [each.value for each in logged.Scalars("train/powertrain/time_ms")]
    assert times[: len(callback.profile)] == pytest.approx(list(callback.profile.time_ms))
    assert logged.Scalars("train/powertrain/simulated")[0].value == 1.0
    assert "train/loss" in logged.Tags()["scalars"]


def test_progress_goes_above_the_progress_bar(slow: FakeDevice, tmp_path: Path, capsys: Any) -> None:
    trainer(tmp_path, powertrain(slow, verbose=True), disable_tqdm=False).train()
    assert "PowerTrain (simulated): this power mode stays" in capsys.readouterr().out


def test_it_has_the_arguments_of_lightnings_callback() -> None:
    from inspect import signature

    assert signature(PowerTrainCallback) == signature(lightning_powertrain.PowerTrainCallback)
