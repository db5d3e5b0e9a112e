"""Jobs that come again: the second one starts in the best mode, and measures anew only where it has to."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, Oracle, true_time_ms
from jobs import LIGHTNING_WARNINGS, RESNET, Model, StopWhen, data, locked, powertrain, trainer, weights
from torch import Tensor

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import ProfileCache

pytestmark = [*LIGHTNING_WARNINGS, pytest.mark.usefixtures("short_windows")]

BruteForce = Callable[[float], Tuple[float, float]]


def run(device: Any, model: pl.LightningModule | None = None, size: int = 4, **options: Any) -> PowerTrainCallback:
    """The callback of a job that ended some minibatches after a mode was locked."""
    callback = powertrain(device, **{"budget": "13 W", "max_modes": 6, **options})
    trainer(callback, StopWhen(lambda: locked(callback)), max_epochs=3).fit(model or Model(), data(800, size=size))
    assert locked(callback)
    return callback


def cost(callback: PowerTrainCallback) -> tuple[float, float]:
    assert callback.selection is not None
    assert callback.selection.measured is not None
    return callback.selection.measured.time_ms, callback.selection.measured.power_w


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_repeated_job_starts_in_the_best_mode(
    tiny: FakeDevice, brute_force: BruteForce, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    run(tiny)
    tiny.applied.clear()
    capfd.readouterr()
    again = run(tiny, verbose=True)
    assert cost(again) == pytest.approx(brute_force(13.0))
    assert len(tiny.applied) == 1
    assert again.outcome is not None
    assert len(again.outcome.measured_now) == 1
    shown = capfd.readouterr().out
    assert "known from an earlier run (2" in shown
    assert "Profiling: 1 power mode in" in shown
    assert f"Not measured again: {len(again.outcome.reused)} power modes known from an earlier run (2" in shown
    assert ": start mode" not in shown, "it was not measured again"
    assert warnings_of(caplog) == []


def test_any_budget_is_served(tiny: FakeDevice, brute_force: BruteForce) -> None:
    run(tiny)
    for limit_w in (9.0, 16.0):
        tiny.applied.clear()
        assert cost(run(tiny, budget=limit_w)) == pytest.approx(brute_force(limit_w))
        assert len(tiny.applied) <= 3


def test_another_workload_measures_for_itself(tiny: FakeDevice) -> None:
    run(tiny)
    tiny.applied.clear()
    assert run(tiny, size=8).outcome.reused == frozenset()  # type: ignore[union-attr]
    assert len(tiny.applied) >= 6
    assert len(ProfileCache().entries()) == 2


@pytest.mark.parametrize("cache", [False, "folder"])
def test_where_profiles_are_kept(tiny: FakeDevice, tmp_path: Path, cache_folder: Path, cache: bool | str) -> None:
    options = {"cache": cache and tmp_path / "folder"}
    run(tiny, **options)
    tiny.applied.clear()
    run(tiny, **options)
    assert (len(tiny.applied) == 1) == bool(cache)
    assert not cache_folder.exists()
    assert (tmp_path / "folder").exists() == bool(cache)


def test_the_variable_switches_it_off(tiny: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTRAIN_CACHE", "off")
    run(tiny)
    tiny.applied.clear()
    run(tiny)
    assert len(tiny.applied) >= 6


@pytest.mark.parametrize("cache", [None, "", 3])
def test_no_folder_is_no_cache(cache: Any) -> None:
    with pytest.raises(ArgumentError, match="cache="):
        powertrain(cache=cache)


class Slowed(FakeDevice):
    """The tiny board; its fan has failed, or its disk is worn."""

    settle_s = 0.2

    def minibatch_ended(self) -> None:
        super().minibatch_ended()
        self.clock.advance(0.4 * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


def test_a_workload_that_has_changed_is_measured_anew_and_replaces_what_was_kept(
    tiny: FakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    thorough = Oracle()
    thorough.minimum_modes = 16
    run(tiny, max_modes=18, predictor=thorough)
    (old,) = ProfileCache().entries()
    slowed = Slowed()
    again = run(slowed, max_modes=6)
    assert again.outcome is not None
    assert again.outcome.reused == frozenset()
    assert len(again.outcome.measured_now) >= 6
    (message,) = warnings_of(caplog)
    assert "no longer hold: time differs by +40 % from the earlier run" in message
    (new,) = ProfileCache().entries()
    assert old.profile is not None
    assert new.profile is not None
    assert len(new.profile) < len(old.profile)
    assert new.profile.time_ms == pytest.approx(true_time_ms(new.profile.modes) * 1.4, rel=1e-6)
    caplog.clear()
    assert run(slowed).outcome.reused  # type: ignore[union-attr]
    assert warnings_of(caplog) == []


def test_profiles_grow_and_never_shrink(tiny: FakeDevice) -> None:
    sizes = []
    for modes in (5, 12, 3, 6):
        run(tiny, max_modes=modes)
        (entry,) = ProfileCache().entries()
        assert entry.profile is not None
        sizes.append(len({each.mode for each in entry.profile.measurements}))
    assert sizes == sorted(sizes)
    assert sizes[1] >= 8, "as many as come before the predictor is asked, which knows this board"


def test_two_jobs_at_once_serve_each_other_and_a_larger_profile_stays(tiny: FakeDevice) -> None:
    """One job runs within the other, with a smaller profile; then the other way round."""
    for outer, inner in ((12, 4), (4, 12)):
        for entry in ProfileCache().entries():
            ProfileCache().remove(entry)

        class Nested(pl.Callback):
            def on_train_batch_end(self, *details: Any, modes: int = inner) -> None:
                if details[-1] == 50:
                    board = FakeDevice()
                    board.settle_s = 0.2
                    run(board, max_modes=modes)

        callback = powertrain(tiny, budget="13 W", max_modes=outer)
        trainer(callback, Nested(), StopWhen(partial(locked, callback))).fit(Model(), data(2000))
        assert locked(callback)
        (entry,) = ProfileCache().entries()
        assert entry.profile is not None
        assert len(entry.profile) >= 10


def test_a_profile_too_small_for_the_predictor_is_no_hit(tiny: FakeDevice, oracle: Oracle) -> None:
    run(tiny, max_modes=3)
    needy = Oracle()
    needy.minimum_modes = 20
    again = run(tiny, max_modes=20, predictor=needy)
    assert again.outcome is not None
    assert again.outcome.reused == frozenset()


def test_a_damaged_entry_is_one_warning(tiny: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    run(tiny)
    (entry,) = ProfileCache().entries()
    (entry.folder / "profile.csv").write_text("nonsense", encoding="utf-8")
    tiny.applied.clear()
    run(tiny)
    assert len(tiny.applied) >= 6
    (message,) = warnings_of(caplog)
    assert "profile cache is disabled for this run" in message


def test_named_workloads_of_the_simulation_know_each_other_by_name() -> None:
    first = run(RESNET, budget="30 W", max_modes=10, max_share=1.0)
    again = run(RESNET, Other(), budget="30 W", max_modes=10, size=7)
    assert again.outcome is not None
    assert len(again.outcome.measured_now) <= 3
    assert cost(again)[0] < 1.03 * cost(first)[0]
    assert cost(again)[1] < 30.0
    assert again.outcome.simulated
    (entry,) = ProfileCache().entries()
    assert entry.key is not None
    assert '"named": "resnet18"' in entry.key.workload


class Other(Model):
    """Trains alike, by another name."""


def test_weights_are_those_of_a_job_without_a_cache(tiny: FakeDevice) -> None:
    plain = weights()
    first = powertrain(tiny, budget="13 W", max_modes=6)
    again = powertrain(tiny, budget="13 W", max_modes=6)
    for callback in (first, again):
        tuned: dict[str, Tensor] = weights(callback)
        assert all(torch.equal(tuned[name], value) for name, value in plain.items())
    assert first.outcome is not None
    assert again.outcome is not None
    assert not first.outcome.reused
    assert again.outcome.reused
