"""Budgets that mean the plug: their watts and watt-hours become those of the module."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeDevice, Oracle
from numpy.typing import NDArray

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import ChangingBudget, EnergyBudget, FixedBudget, MinibatchBudget, parse_budget
from lightning_powertrain.selection.objective import Objective
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning.config import TuningConfig

START = Measurement(PowerMode(gpu_hz=1), time_ms=60.0, power_w=40.0)


def limit_w(budget: object) -> float | None:
    assert isinstance(budget, MinibatchBudget)
    return budget.objective(START).power_limit_w


def test_the_figures_of_a_real_board() -> None:
    """An Orin NX showed 29.0 W on its sensor and drew 37.0 W at its input (ark_jetson_kernel, docs/power.md)."""
    overhead = 37.0 / 29.0 - 1
    assert overhead == pytest.approx(0.28, abs=0.005)
    assert limit_w(parse_budget("37 W").at_module(overhead)) == pytest.approx(29.0)


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (30, "fastest within 23.44 W (30 W at the plug)"),
        ("30 W", "fastest within 23.44 W (30 W at the plug)"),
        ("30 W, 120 ms", "least energy within 23.44 W (30 W at the plug) and 120 ms a minibatch"),
        ("50 Wh", "39.06 Wh (50 Wh at the plug)"),
    ],
)
def test_watts_and_watt_hours_become_those_of_the_module(budget: object, text: str) -> None:
    assert str(parse_budget(budget).at_module(0.28)) == text


def test_limits_are_divided_and_times_are_not() -> None:
    budget = parse_budget("30 W, 120 ms").at_module(0.28)
    assert isinstance(budget, MinibatchBudget)
    assert limit_w(budget) == pytest.approx(23.4375)
    assert budget.objective(START).time_limit_ms == 120
    assert parse_budget("50 Wh").at_module(0.28).total(None) == pytest.approx(50 * 3600 / 1.28)  # type: ignore[attr-defined]
    assert EnergyBudget(128.0).at_module(0.28) == EnergyBudget(100.0)


@pytest.mark.parametrize("budget", [None, "5 % slower", "120 ms", "energy", "edp", "8 h", "by 18:00"])
def test_other_budgets_stay(budget: object) -> None:
    parsed = parse_budget(budget)
    assert parsed.at_module(0.28) is parsed


def test_each_budget_of_a_schedule_means_the_plug() -> None:
    changing = parse_budget({"06:00": "30 W"}).at_module(0.28)
    assert isinstance(changing, ChangingBudget)
    assert changing.refresh()
    assert limit_w(changing) == pytest.approx(23.4375)


class Limited(Objective):
    """An objective of a user."""

    power_limit_w = 30.0

    def cost(self, time_ms: NDArray[np.float64], power_w: NDArray[np.float64]) -> NDArray[np.float64]:
        return time_ms


def test_a_limit_of_ones_own_has_to_say_what_it_means_at_the_plug() -> None:
    with pytest.raises(ArgumentError, match=r"^supply_overhead=0.28 is not valid.*at_module"):
        FixedBudget(Limited(), "own").at_module(0.28)


def test_the_tuner_keeps_the_limit_at_the_plug(
    device: FakeDevice, oracle: Oracle, capsys: pytest.CaptureFixture[str]
) -> None:
    def tuned(options: ProfilingOptions) -> Tuner:
        tuner = Tuner("12 W", device=device, max_modes=5, options=options)
        with tuner.start(minibatches=10**7):
            while tuner.outcome is None or not tuner.outcome.selection.is_confirmed:
                tuner.minibatch_ended()
        return tuner

    plain, plug = (tuned(ProfilingOptions(predictor=oracle, supply_overhead=share)) for share in (0.0, 0.25))
    assert plain.outcome is not None
    assert plug.outcome is not None
    assert plug.outcome.selection.objective.power_limit_w == pytest.approx(9.6)
    assert plug.outcome.selection.power_w <= 9.6 < plain.outcome.selection.power_w
    assert "fastest within 9.6 W (12 W at the plug)" in capsys.readouterr().out


def test_without_an_overhead_nothing_is_converted() -> None:
    config = TuningConfig.checked("30 W", None, 0.1, False, False, None, None)
    assert str(config.budget) == "30 W"
