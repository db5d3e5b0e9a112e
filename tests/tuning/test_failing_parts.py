"""Whatever the tuner uses fails: the board is restored, one warning, the loop goes on; an error under ``strict``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase


class UnforeseenError(Exception):
    """Of nobody's tree of errors."""


ERRORS = [UnforeseenError("unheard of"), DeviceError("of ours"), OSError(5, "of the system")]

# What fails, and how often it works before.
FAILURES = {
    "sampling": ("device.clock.every", 0),
    "minibatch noted": ("device.minibatch_ended", 100),
    "clock": ("device.clock.now", 200),
    "mode read": ("device.current_mode", 1),
    "first mode set": ("device.apply", 0),
    "third mode set": ("device.apply", 2),
    "power sensor": ("device.read_power", 0),
    "predictor fitted": ("oracle.fit", 0),
    "prediction": ("oracle.predict", 0),
    "prediction of the design": ("oracle.reference_time_ms", 0),
}


def failing_after(good_calls: int, error: Exception, works: Callable[..., Any]) -> Callable[..., Any]:
    calls = iter(range(good_calls))

    def fails(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raise error
        return works(*args, **kwargs)

    return fails


@pytest.mark.parametrize("strict", [False, True], ids=["soft", "strict"])
@pytest.mark.parametrize(
    ("what", "good_calls", "error"),
    [
        pytest.param(*failure, error, id=f"{name}-{type(error).__name__}")
        for name, failure in FAILURES.items()
        for error in ERRORS
        # A sensor that cannot be read is no failure of ours: the sample is missing (tests/devices/test_polling.py).
        if name != "power sensor" or isinstance(error, UnforeseenError)
    ],
)
def test_a_failure_is_one_warning_or_an_error_when_strict(
    what: str,
    good_calls: int,
    strict: bool,
    error: Exception,
    device: FakeDevice,
    oracle: Oracle,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tuner = Tuner(
        12, device=device, max_modes=3, strict=strict, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    *owners, name = what.split(".")
    owner: Any = {"device": device, "oracle": oracle}[owners[0]]
    owner = getattr(owner, owners[1]) if owners[1:] else owner
    monkeypatch.setattr(owner, name, failing_after(good_calls, error, getattr(owner, name)))
    if strict:
        with pytest.raises(type(error)) as raised, tuner:
            train(tuner.start())
        assert raised.value is error
    else:
        train(tuner.start())
        for _ in range(20):
            tuner.minibatch_ended()
        tuner.stop()
        assert [repr(error) in record.getMessage() for record in caplog.records] == [True]
    assert tuner.phase is Phase.CLOSED
    assert device.mode == device.found
