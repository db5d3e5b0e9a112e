"""The search for the best mode, on boards of which everything is known: against trying all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Callable

import numpy as np
import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, Knob, ModeSpace, PowerMode, load_board
from lightning_powertrain.errors import ArgumentError, BudgetError, DeviceError, PowerTrainError
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, Prediction, load_reference
from lightning_powertrain.profiling import Measurement, Profile, Provenance, latin_hypercube_rows, sensor_noise
from lightning_powertrain.selection import LeastEnergy, Objective, PowerBudget, TimeBudget, select_measured
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning.safe_search import SafeSearch
from lightning_powertrain.tuning.search import Search

SPACE = TINY.modes
Measure = Callable[[PowerMode], Measurement]


def exact(mode: PowerMode) -> Measurement:
    row = SPACE.rows([mode])
    return Measurement(mode, float(true_time_ms(row)[0]), float(true_power_w(row)[0]))


def play(search: Search, start: Measurement, measure: Measure, profile: Profile | None = None) -> Profile:
    """Measure whatever a search asks for."""
    profile = profile or Profile(SPACE.knobs, Provenance("tiny", "toy", True)).with_measurements([start])
    verifications = 0
    for done in range(200):
        step = search.next_planned(profile) or search.next_by_acquisition(profile)
        if step is None:
            assert done - verifications <= search.most
            assert verifications <= 5
            return profile
        verifications += step.is_verification
        profile = profile.with_measurements([measure(step.mode)])
    raise AssertionError("the search does not end")


class Unsure(Oracle):
    """Off by some per cent in a way that no measurement mends, and knows how far."""

    def predict(self, modes: IntArray) -> Prediction:
        wave = np.sin(np.arange(len(modes)) * 1.7)
        times, powers = true_time_ms(modes) * (1 + 0.08 * wave), true_power_w(modes) * (1 - 0.05 * wave)
        width = (1.14, 1.09)
        return Prediction(
            times,
            powers,
            time_low_ms=times / width[0],
            time_high_ms=times * width[0],
            power_low_w=powers / width[1],
            power_high_w=powers * width[1],
        )


def best_by_trying_all(objective: Objective) -> Measurement:
    everything = [exact(SPACE.mode(index)) for index in range(len(SPACE))]
    profile = Profile(SPACE.knobs, Provenance("tiny", "toy", True)).with_measurements(everything)
    best = select_measured(objective, profile, everything[0]).measured
    assert best is not None
    return best


OBJECTIVES = st.one_of(
    st.floats(6.0, 20.0).map(PowerBudget), st.floats(9.0, 40.0).map(TimeBudget), st.just(LeastEnergy())
)


@given(objective=OBJECTIVES, seed=st.integers(0, 50), most=st.integers(3, 20))
def test_with_a_predictor_that_knows_the_board_it_finds_the_best_mode(
    objective: Objective, seed: int, most: int
) -> None:
    start = exact(SPACE.mode(0))
    profile = play(Search(SPACE, Oracle(), objective, start, most, seed=seed), start, exact)
    found = select_measured(objective, profile, start)
    best = best_by_trying_all(objective)
    cost = float(objective.cost(np.array([best.time_ms]), np.array([best.power_w]))[0])
    assert found.cost <= cost * 1.011, "an expected improvement below one per cent is not worth a verification"
    assert found.is_confirmed == (not objective.excess(np.array([best.time_ms]), np.array([best.power_w])).any())
    assert len(profile.besides(start)) <= most + 5


@pytest.mark.parametrize("limit_w", [8.0, 11.0, 14.0, 17.0])
@pytest.mark.parametrize("until_settled", [False, True])
def test_an_unsure_predictor_measures_more_and_keeps_the_limit(limit_w: float, until_settled: bool) -> None:
    start, objective = exact(SPACE.mode(0)), PowerBudget(limit_w)
    search = Search(SPACE, Unsure(), objective, start, 30, until_settled=until_settled)
    profile = play(search, start, exact)
    found = select_measured(objective, profile, start)
    assert found.power_w <= limit_w
    assert found.time_ms <= best_by_trying_all(objective).time_ms * 1.03
    assert len(profile.besides(start)) < len(SPACE)
    measured = [each.mode for each in profile.besides(start)]
    assert len(set(measured)) == len(measured), "nothing is measured twice"


class Choosy(Oracle):
    """Wants the first modes that it is shown."""

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        assert modes.shape == (round(0.3 * len(SPACE)), len(knobs))
        return np.arange(count)


def test_it_begins_with_the_fast_modes_that_the_predictor_asks_for() -> None:
    fast = np.sort(np.argsort(true_time_ms(SPACE.array), kind="stable")[: round(0.3 * len(SPACE))])
    search = Search(SPACE, Choosy(), PowerBudget(12.0), exact(SPACE.mode(0)), 20)
    assert {SPACE.index(mode) for mode in search.first_modes} == set(fast[:7].tolist())


def test_it_begins_with_fast_modes_that_are_spread_evenly_if_the_predictor_does_not_mind() -> None:
    fast = np.sort(np.argsort(true_time_ms(SPACE.array), kind="stable")[: round(0.3 * len(SPACE))])
    search = Search(SPACE, Oracle(), PowerBudget(12.0), exact(SPACE.mode(0)), 20, seed=3)
    expected = fast[latin_hypercube_rows(SPACE.array[fast], 7, seed=3)]
    assert {SPACE.index(mode) for mode in search.first_modes} == set(expected.tolist())


class TopDown(Choosy):
    """Wants the highest mode first."""

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        return len(modes) - 1 - np.arange(count)


def test_a_start_in_the_highest_mode_is_not_measured_again_as_one_of_the_first() -> None:
    start = exact(SPACE.highest)
    search = Search(SPACE, TopDown(), PowerBudget(12.0), start, 20)
    assert len(search.first_modes) == 6
    assert start.mode not in search.first_modes
    measured = [each.mode for each in play(search, start, exact).measurements]
    assert len(set(measured)) == len(measured)


@pytest.mark.parametrize("predictor", [Oracle(), Unsure()])
@pytest.mark.parametrize("until_settled", [False, True])
@pytest.mark.parametrize("objective", [PowerBudget(9.0), PowerBudget(15.0), TimeBudget(14.0), LeastEnergy()])
def test_it_does_not_end_while_a_mode_within_the_budget_is_expected_to_be_better(
    predictor: Oracle, until_settled: bool, objective: Objective
) -> None:
    start, most = exact(SPACE.mode(0)), 12
    profile = play(Search(SPACE, predictor, objective, start, most, until_settled), start, exact)
    best, prediction = select_measured(objective, profile, start), predictor.predict(SPACE.array)
    assert best.is_confirmed
    better = objective.cost(prediction.time_ms, prediction.power_w) < 0.99 * best.cost
    noisy_w = prediction.power_w * (1 + sensor_noise(prediction.power_w))
    better &= objective.excess(1.005 * prediction.time_ms, noisy_w) == 0
    better[SPACE.rows_of(each.mode for each in profile.measurements)] = False
    assert not better.any() or len(profile.besides(start)) == most + 5


def test_it_goes_on_from_a_profile_that_was_begun_elsewhere() -> None:
    start, objective = exact(SPACE.mode(0)), PowerBudget(12.0)
    whole = play(Search(SPACE, Oracle(), objective, start, 12), start, exact)
    half = replace(whole, measurements=whole.measurements[:7])
    assert play(Search(SPACE, Oracle(), objective, start, 12), start, exact, half) == whole


def test_a_budget_that_nothing_meets_gets_the_mode_that_misses_it_by_least() -> None:
    start, objective = exact(SPACE.highest), PowerBudget(1.0)
    profile = play(Search(SPACE, Oracle(), objective, start, 3), start, exact)
    assert select_measured(objective, profile, start).power_w == true_power_w(SPACE.array).min()


def test_a_board_that_throttles_everywhere_is_not_learnt_from() -> None:
    start = exact(SPACE.mode(0))
    with pytest.raises(DeviceError, match=r"throttled \(heat\) in all but 1 of the windows"):
        play(
            Search(SPACE, Oracle(), PowerBudget(12.0), start, 5),
            start,
            lambda mode: replace(exact(mode), throttled_by="heat"),
        )


def test_predictions_that_are_not_finite_are_refused() -> None:
    class Broken(Oracle):
        def predict(self, modes: IntArray) -> Prediction:
            return Prediction(np.full(len(modes), np.nan), true_power_w(modes))

    start = exact(SPACE.mode(0))
    with pytest.raises(ArithmeticError, match="not finite"):
        play(Search(SPACE, Broken(), PowerBudget(12.0), start, 5), start, exact)


# On the simulated board, with the real predictor.

STUDY = load_board("orin-agx-64gb").grid("study")


def simulated(workload: str) -> tuple[Profile, Profile]:
    """What is true of a workload in every mode of the study, and what measuring it gives."""
    return (
        simulated_profile("orin-agx-64gb", workload, STUDY.array),
        simulated_profile("orin-agx-64gb", workload, STUDY.array, seed=1),
    )


def search_simulated(
    kind: type[Search], space: ModeSpace, measured: Profile, start: PowerMode, limit_w: float, most: int
) -> tuple[Profile, Measurement]:
    by_mode = {each.mode: each for each in measured.measurements}
    predictor = GreyBoxTransfer(load_reference("orin-agx-64gb-resnet18"))
    objective = PowerBudget(limit_w)
    first = by_mode[start]
    profile = replace(measured, measurements=(first,))
    search = kind(space, predictor, objective, first, most, until_settled=kind is SafeSearch)
    profile = play(search, first, by_mode.__getitem__, profile)
    kept = select_measured(objective, profile, first).measured
    assert kept is not None
    return profile, kept


@pytest.mark.parametrize("workload", ["mobilenetv3", "lstm"])
def test_ten_and_five_modes_are_enough_on_the_simulated_board(workload: str) -> None:
    truth, measured = simulated(workload)
    penalties = []
    for limit_w in (20.0, 30.0, 40.0):
        profile, kept = search_simulated(Search, STUDY, measured, STUDY.mode(0), limit_w, 10)
        row = STUDY.index(kept.mode)
        assert truth.power_w[row] <= limit_w + 0.5
        assert len(profile) <= 1 + 15
        penalties.append(truth.time_ms[row] / truth.time_ms[truth.power_w <= limit_w].min() - 1)
    assert np.mean(penalties) < 0.05


def test_a_hard_budget_is_kept_while_searching() -> None:
    truth, measured = simulated("mobilenetv3")
    for limit_w in (15.0, 30.0):
        profile, kept = search_simulated(SafeSearch, STUDY, measured, STUDY.mode(0), limit_w, 50)
        rows = [STUDY.index(each.mode) for each in profile.measurements]
        assert truth.power_w[rows].max() <= limit_w + 0.5
        assert kept.time_ms < 1.15 * truth.time_ms[truth.power_w <= limit_w].min()


def test_a_hard_budget_is_used_up_on_a_board_that_the_predictor_was_not_made_for() -> None:
    space, limit_w = load_board("agx-xavier").modes, 14.4
    truth = simulated_profile("agx-xavier", "mobilenetv3", space.array)
    measured = simulated_profile("agx-xavier", "mobilenetv3", space.array, seed=1)
    profile, kept = search_simulated(SafeSearch, space, measured, space.mode(0), limit_w, 50)
    rows = [space.index(each.mode) for each in profile.measurements]
    assert truth.power_w[rows].max() <= limit_w + 0.5
    assert kept.time_ms < 1.06 * truth.time_ms[truth.power_w <= limit_w].min()


def test_a_hard_budget_below_the_lowest_mode_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"even the lowest power mode draws 4.5 W"):
        SafeSearch(SPACE, Unsure(), PowerBudget(1.0), exact(SPACE.mode(0)), 20, until_settled=True)


def test_a_hard_budget_needs_intervals() -> None:
    start = exact(SPACE.mode(0))
    with pytest.raises(PowerTrainError, match="intervals"):
        play(SafeSearch(SPACE, Oracle(), PowerBudget(12.0), start, 20, until_settled=True), start, exact)


@pytest.mark.parametrize("budget", [None, "energy", "120 ms"])
def test_only_power_can_be_a_hard_limit(budget: str | None) -> None:
    with pytest.raises(ArgumentError, match="hard_limit=True is not valid"):
        Tuner(
            budget,
            device=FakeDevice(),
            max_modes=5,
            hard_limit=True,
            verbose=False,
            options=ProfilingOptions(predictor=Oracle()),
        )
