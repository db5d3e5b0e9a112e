"""The user's own error is the one that leaves the training loop, in every phase and whatever becomes of the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pytest
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

PHASES = [Phase.WARMING_UP, Phase.MEASURING_START, Phase.PROFILING, Phase.LOCKED]


def unable(*details: object) -> None:
    raise DeviceError("stuck")


def train_until(tuner: Tuner, phase: Phase, what_happens_then: Callable[[], NoReturn]) -> None:
    with tuner.start():
        for _ in range(10_000):
            if tuner.phase is phase:
                what_happens_then()
            tuner.minibatch_ended()


@pytest.mark.parametrize("is_stuck", [False, True], ids=["board restored", "board stuck"])
@pytest.mark.parametrize("strict", [False, True], ids=["soft", "strict"])
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_the_users_error_is_the_one_that_surfaces(
    phase: Phase,
    kind: type[BaseException],
    strict: bool,
    is_stuck: bool,
    device: FakeDevice,
    oracle: Oracle,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = kind("the user's")

    def fail() -> NoReturn:
        if is_stuck:
            monkeypatch.setattr(device, "restore", unable)
        raise error

    tuner = Tuner(
        12, device=device, max_modes=5, strict=strict, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    with pytest.raises(kind) as surfaced:
        train_until(tuner, phase, fail)
    assert surfaced.value is error
    assert caplog.text.count("could not be restored") == is_stuck
    if not is_stuck:
        assert tuner.phase is Phase.CLOSED
        assert device.mode == device.found


def test_an_error_of_ours_under_strict_is_not_replaced_by_a_board_that_is_stuck(
    device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DeviceError("the first")

    def fail(*details: object) -> None:
        raise error

    monkeypatch.setattr(oracle, "fit", fail)
    monkeypatch.setattr(device, "restore", unable)
    tuner = Tuner(
        12, device=device, max_modes=5, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    with pytest.raises(DeviceError) as surfaced, tuner.start():
        train(tuner)
    assert surfaced.value is error
