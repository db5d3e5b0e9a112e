"""Objectives of others: what they get by default."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeDevice, Oracle
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain import Objective, ProfilingOptions, Tuner
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.selection import LeastEnergy, LeastEnergyWithin, NoWorse, PowerBudget, Slower, TimeBudget

FIGURES = st.lists(st.tuples(st.floats(1.0, 1e4), st.floats(0.1, 1e3)), min_size=1, max_size=20)


class Score(Objective):
    """No more than what is required."""

    def cost(self, time_ms: np.ndarray, power_w: np.ndarray) -> np.ndarray:
        return time_ms


class PowerLimited(Score):
    power_limit_w = 12.0


class TimeLimited(Score):
    time_limit_ms = 20.0


class BothLimited(PowerLimited, TimeLimited):
    pass


def excess_of(objective: Objective, figures: list[tuple[float, float]]) -> np.ndarray:
    return objective.excess(*np.array(figures).T)


def test_an_objective_needs_its_score_only() -> None:
    assert Objective.__abstractmethods__ == {"cost"}


# Half a per cent of each of two measured times, and their difference counts.


@pytest.mark.parametrize(
    ("objective", "unit", "limit", "limits_only_power", "text"),
    [
        (Score(), "", None, False, "Score"),
        (PowerLimited(), "W", 12.0, True, "PowerLimited within 12 W"),
        (TimeLimited(), "ms", 20.0, False, "TimeLimited within 20 ms"),
        (BothLimited(), "%", None, False, "BothLimited within 12 W and 20 ms"),
        (PowerBudget(30.0), "W", 30.0, True, "fastest within 30 W"),
        (TimeBudget(120.0), "ms", 120.0, False, "least power within 120 ms a minibatch"),
        (LeastEnergy(), "", None, False, "least energy per minibatch"),
        (
            *(NoWorse(60.0, 30.0), "%", None, False),
            "least energy, no slower than the start and with no more power (60 ms, 30 W)",
        ),
        (
            Slower(60.0, 5.0),
            "ms",
            63.0,
            False,
            "least energy, at most 5 % slower than the start (60 ms)",
        ),
        (LeastEnergyWithin(30.0, 120.0), "%", None, False, "least energy within 30 W and 120 ms a minibatch"),
    ],
)
def test_what_follows_from_the_limits(
    objective: Objective, unit: str, limit: float | None, limits_only_power: bool, text: str
) -> None:
    found = (objective.unit, objective.limit, objective.limits_only_power, str(objective))
    assert found == (unit, limit, limits_only_power, text)


@given(FIGURES)
def test_the_excess_follows_from_the_limits(figures: list[tuple[float, float]]) -> None:
    assert not excess_of(Score(), figures).any()
    assert excess_of(PowerLimited(), figures).tolist() == [max(power - 12.0, 0.0) for _, power in figures]
    assert excess_of(TimeLimited(), figures).tolist() == [max(time - 20.0, 0.0) for time, _ in figures]
    both = [max(time / 20.0 - 1, power / 12.0 - 1, 0.0) * 100 for time, power in figures]
    assert excess_of(BothLimited(), figures) == pytest.approx(np.array(both))


def test_only_an_objective_that_is_relative_moves_with_a_drift() -> None:
    assert NoWorse(60.0, 30.0).after_drift(1.5, 0.5) == NoWorse(90.0, 15.0)
    objective = BothLimited()
    assert objective.after_drift(1.5, 0.5) is objective
    assert [each.is_relative for each in (objective, NoWorse(60.0, 30.0))] == [False, True]


def test_a_power_limit_of_others_may_be_hard() -> None:
    Tuner(
        PowerLimited(),
        device=FakeDevice(),
        max_modes=5,
        hard_limit=True,
        verbose=False,
        options=ProfilingOptions(predictor=Oracle()),
    )
    for objective in (Score(), TimeLimited(), BothLimited()):
        with pytest.raises(ArgumentError, match="hard_limit=True is not valid"):
            Tuner(
                objective,
                device=FakeDevice(),
                max_modes=5,
                hard_limit=True,
                verbose=False,
                options=ProfilingOptions(predictor=Oracle()),
            )
