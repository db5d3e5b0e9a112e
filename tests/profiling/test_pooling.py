"""Several windows of one mode as one measurement."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.profiling.pooling import pooled, with_pooled

FIRST, SECOND = PowerMode(cores=1), PowerMode(cores=2)


def window(times_ms: list[float], power_w: float, mode: PowerMode = FIRST, celsius: float | None = None) -> Measurement:
    return Measurement(
        *(mode, float(np.mean(times_ms)), power_w, float(np.std(times_ms)), 0.0, len(times_ms)),
        power_samples=7,
        discarded_minibatches=3,
        temperature_c=celsius,
    )


def test_windows_pool_to_what_one_window_of_all_minibatches_shows() -> None:
    one, other = [10.0, 12.0, 11.0], [14.0, 15.0, 13.0, 14.0, 16.0]
    both = pooled([window(one, 20.0, celsius=40.0), window(other, 30.0, celsius=50.0)])
    assert both.time_ms == pytest.approx(np.mean(one + other))
    assert both.time_std_ms == pytest.approx(np.std(one + other))
    assert both.power_w * sum(one + other) == pytest.approx(20.0 * sum(one) + 30.0 * sum(other))
    assert both.energy_mj * 8 == pytest.approx(20.0 * sum(one) + 30.0 * sum(other))
    assert (both.minibatches, both.power_samples, both.discarded_minibatches) == (8, 14, 6)
    assert both.temperature_c == 45.0
    assert pooled([window(one, 20.0), window(other, 30.0, celsius=50.0)]).temperature_c is None


def test_a_profile_keeps_one_measurement_of_the_mode_in_its_place() -> None:
    windows = [window([10.0], 20.0), window([30.0], 5.0, SECOND), window([12.0], 20.0)]
    profile = Profile((Knob("cores", "cores", (1, 2)),), Provenance("tiny", "test", True), tuple(windows))
    after, mean = with_pooled(profile, FIRST)
    assert after.measurements == (mean, windows[1])
    assert mean.time_ms == pytest.approx(11.0)
