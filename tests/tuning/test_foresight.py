"""How warm a board becomes and how power grows with that, learned from samples; and what is made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fakes import TINY
from leaking import AIR_C, C_PER_W, Leaking, sampled

from lightning_powertrain.devices import Pollers
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.tuning.foresight import Foresight
from lightning_powertrain.tuning.thermal import Thermal, fit_thermal

MODE = TINY.preset("LOW")
THERMAL = Thermal(air_c=25.0, c_per_w=1.0)


def window(power_w: float = 30.0, temperature_c: float | None = 40.0) -> Measurement:
    return Measurement(MODE, 100.0, power_w, temperature_c=temperature_c)


def growth(windows: list[Measurement]) -> Foresight:
    return Foresight().refined(Pollers(Leaking()), 0.0, windows)


def visits(device: Leaking, seconds: int = 5) -> list[np.ndarray]:
    """What is sampled of modes that are visited in an order in which power does not rise."""
    rows = np.random.default_rng(0).permutation(len(device.modes))[:24]
    parts = []
    for row in rows.tolist():
        device.apply(device.modes.mode(row))
        parts.append(sampled(device, seconds))
    return [np.concatenate(columns) for columns in zip(*parts)]


@pytest.mark.parametrize("noise_c", [0.0, 0.3])
def test_two_minutes_of_short_windows_show_how_warm_a_board_becomes(noise_c: float) -> None:
    device = Leaking()
    times_s, celsius, watts = visits(device)
    celsius = celsius + noise_c * np.random.default_rng(1).standard_normal(len(celsius))
    thermal = fit_thermal(times_s, celsius, times_s, watts)
    assert thermal is not None
    for power_w in (15.0, 30.0):
        truth_c = AIR_C + C_PER_W * power_w
        assert thermal.settled_c(power_w) == pytest.approx(truth_c, abs=0.3 * (truth_c - AIR_C))


def test_nothing_is_fitted_to_a_temperature_that_stands_still() -> None:
    times_s, celsius, watts = visits(Leaking())
    assert fit_thermal(times_s, np.full_like(celsius, 50.0), times_s, watts) is None
    assert fit_thermal(times_s[:5], celsius[:5], times_s, watts) is None
    assert fit_thermal(times_s, celsius, times_s[:0], watts[:0]) is None


def test_growth_is_learned_from_windows_of_one_mode() -> None:
    none, some = growth([]), [0.0, 0.004]
    assert growth([window()]).per_c == pytest.approx(none.per_c)
    for per_c in some:
        rising = [window(30.0 * math.exp(per_c * step), 40.0 + step) for step in range(0, 12, 2)]
        learned = growth(rising)
        assert learned.per_c == pytest.approx(per_c, abs=0.0004)
        assert learned.spread_per_c < none.spread_per_c


def test_growth_beyond_leakage_is_not_accepted() -> None:
    assert growth([window(30.0, 40.0), window(60.0, 50.0)]).per_c == pytest.approx(0.01)
    assert growth([window(30.0, 40.0), window(10.0, 50.0)]).per_c == 0.0


def test_power_is_that_of_the_temperature_that_it_leads_to() -> None:
    foresight = Foresight(THERMAL, per_c=0.003, spread_per_c=0.0)
    power_w = foresight.power_w(window())
    assert power_w == pytest.approx(30.0 * math.exp(0.003 * (THERMAL.settled_c(power_w) - 40.0)), rel=1e-4)
    assert foresight.of(window()).power_w == power_w


def test_nothing_is_corrected_where_nothing_is_known() -> None:
    profile = Profile(TINY.knobs, Provenance("tiny", "toy", True), (window(), window(temperature_c=None)))
    assert Foresight().of_all(profile) == profile
    seen = Foresight(THERMAL).of_all(profile)
    assert seen.measurements[0].power_w > 30.0
    assert seen.measurements[1] == profile.measurements[1]


def test_a_mode_that_cools_the_board_counts_as_measured() -> None:
    """What stays was measured within the limit."""
    assert Foresight(THERMAL).power_w(window(10.0, 60.0)) == 10.0
