from __future__ import annotations

import math
from typing import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.profiling.confidence import (
    expected_half_width,
    power_half_width,
    student_t,
    time_half_width,
)

FloatArray = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator], FloatArray]

FILTER_S, PERIOD_S = 0.43, 0.1


def probability_within(t: float, freedom: float) -> float:
    """Of Student's t between ``-t`` and ``t``, by summing up its density."""
    x = np.linspace(-t, t, 20_001)
    log_density = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density = np.exp(log_density - (freedom + 1) / 2 * np.log1p(x**2 / freedom))
    return float((density[1:] + density[:-1]).sum() / 2 * (x[1] - x[0]))


@pytest.mark.parametrize("freedom", [3, 3.5, 4, 5, 7.3, 11, 39, 1000])
def test_quantile_holds_95_percent_of_the_density(freedom: float) -> None:
    assert probability_within(student_t(freedom), freedom) == pytest.approx(0.95, abs=0.001)


def test_independent_times_give_the_textbook_interval() -> None:
    """Negative autocorrelation counts as none; t(9) = 2.262 is from a printed table."""
    times_ms = np.array([101.0, 99.0, 103.0, 97.0, 100.5, 99.5, 102.0, 98.0, 101.0, 99.0])
    textbook = 2.262 * np.std(times_ms, ddof=1) / math.sqrt(10) / times_ms.mean()
    assert time_half_width(times_ms) == pytest.approx(textbook, rel=0.01)


def autoregressive(count: int, along: float, spread: float) -> Draw:
    def draw(generator: np.random.Generator) -> FloatArray:
        shocks = generator.standard_normal(count) * np.r_[1.0, np.full(count - 1, math.sqrt(1 - along**2))]
        off = np.empty(count)
        off[0] = shocks[0]
        for i in range(1, count):
            off[i] = along * off[i - 1] + shocks[i]
        return 100.0 * (1 + spread * off)

    return draw


def filtered(seconds: float, spread: float) -> Draw:
    """Readings, ten a second, of a sensor that filters white noise."""
    return autoregressive(round(seconds / PERIOD_S), math.exp(-PERIOD_S / FILTER_S), spread)


def coverage(draw: Draw, half_width: Callable[[FloatArray], float], rounds: int = 2000) -> float:
    """How often the true mean, 100, lies within the interval."""
    generator = np.random.default_rng(0)
    samples = [draw(generator) for _ in range(rounds)]
    return float(np.mean([abs(each.mean() - 100) <= half_width(each) * each.mean() for each in samples]))


@pytest.mark.parametrize("count", [12, 40])
def test_intervals_of_independent_times_hold(count: int) -> None:
    assert coverage(autoregressive(count, 0.0, 0.03), time_half_width) == pytest.approx(0.96, abs=0.015)


@pytest.mark.parametrize(("count", "least"), [(20, 0.86), (40, 0.89), (160, 0.93)])
def test_intervals_of_correlated_times_hold_nearly(count: int, least: float) -> None:
    """The correlation has to be learned from the same few times; taken for independent, they would hold far less."""

    def taken_for_independent(times_ms: FloatArray) -> float:
        return float(student_t(count - 1) * times_ms.std(ddof=1) / math.sqrt(count) / times_ms.mean())

    draw = autoregressive(count, 0.5, 0.03)
    assert coverage(draw, time_half_width) >= least
    assert coverage(draw, taken_for_independent) < 0.78


@pytest.mark.parametrize("seconds", [2.0, 4.0, 10.0])
def test_intervals_of_filtered_power_hold(seconds: float) -> None:
    held = coverage(filtered(seconds, 0.03), lambda watts: power_half_width(watts, seconds))
    assert 0.94 <= held <= 0.995


def test_constant_power_is_not_exact() -> None:
    constant = np.full(100, 20.0)
    assert power_half_width(constant[:19], 1.9) > 0.015
    assert 0.004 < power_half_width(constant, 10.0) < 0.01


def test_few_readings_or_minibatches_tell_nothing() -> None:
    assert power_half_width(np.full(3, 20.0), 60.0) == math.inf
    assert power_half_width(np.full(10, 20.0), 1.0) == math.inf
    assert power_half_width(np.empty(0), 1.0) == math.inf
    assert power_half_width(np.zeros(100), 10.0) == math.inf
    assert time_half_width(np.array([100.0, 101.0, 99.0])) == math.inf
    assert expected_half_width(3, 60.0) == math.inf


def test_a_trend_never_looks_precise() -> None:
    assert time_half_width(np.linspace(90.0, 110.0, 40)) > 0.05


def test_bursts_count_in_full() -> None:
    """Three minibatches lie ready, the fourth has to be waited for."""
    assert time_half_width(np.tile([80.0, 80.0, 80.0, 160.0], 5)) > 0.1


samples = st.lists(st.floats(50.0, 150.0), min_size=12, max_size=60).map(np.array)


@given(samples, st.floats(1e-3, 1e3))
def test_units_do_not_matter(sample: FloatArray, scale: float) -> None:
    assert time_half_width(scale * sample) == pytest.approx(time_half_width(sample), rel=1e-6)
    seconds = len(sample) * PERIOD_S
    assert power_half_width(scale * sample, seconds) == pytest.approx(power_half_width(sample, seconds), rel=1e-6)


@given(samples)
def test_never_narrower_than_if_independent(sample: FloatArray) -> None:
    freedom = len(sample) - 1
    independent = student_t(freedom) * sample.std(ddof=1) / math.sqrt(len(sample)) / sample.mean()
    assert time_half_width(sample) >= independent * (1 - 1e-9)
    assert power_half_width(sample, len(sample) * PERIOD_S) >= independent * (1 - 1e-9)
