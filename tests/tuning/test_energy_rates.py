"""What the energy of a job costs and emits."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import EnergyRates

_KWH_J = 3.6e6


def test_a_kilowatt_hour_costs_what_it_costs() -> None:
    rates = EnergyRates(price_per_kwh=0.25, carbon_per_kwh=400)
    assert (rates.price(4 * _KWH_J), rates.carbon_g(4 * _KWH_J)) == pytest.approx((1.0, 1600.0))
    assert rates.text(4 * _KWH_J) == "price 1 (0.25 a kWh), 1.6 kg of CO2"
    assert EnergyRates(carbon_per_kwh=400).text(_KWH_J / 100) == "4 g of CO2"


def test_what_the_plug_draws_beyond_the_sensors_is_paid_too() -> None:
    rates = EnergyRates(0.25, 400, supply_overhead=0.28)
    assert (rates.price(_KWH_J), rates.carbon_g(_KWH_J)) == pytest.approx((0.32, 512.0))


def test_without_rates_nothing_is_said() -> None:
    rates = EnergyRates()
    assert (rates.price(_KWH_J), rates.carbon_g(_KWH_J), rates.text(_KWH_J)) == (None, None, "")


@pytest.mark.parametrize("name", ["price_per_kwh", "carbon_per_kwh"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "0.3"])
def test_other_values_are_refused(name: str, value: Any) -> None:
    for kind in (EnergyRates, ProfilingOptions):
        with pytest.raises(ArgumentError, match=rf"{name}=.* is not valid\. Allowed: None, or a number from 0 up"):
            kind(**{name: value})


def test_the_outcome_of_a_job_knows_them(device: FakeDevice, oracle: Oracle) -> None:
    options = ProfilingOptions(predictor=oracle, price_per_kwh=0.3, carbon_per_kwh=380, supply_overhead=0.1)
    with Tuner("13 W", device=device, max_modes=5, verbose=False, options=options).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        assert tuner.outcome.rates == EnergyRates(0.3, 380, 0.1)
