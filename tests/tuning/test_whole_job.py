"""Budgets of a whole job: kept to the end of it, whatever happens on the way, with as little of the other cost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from drifting import Changing, Proportional
from fakes import true_power_w, true_time_ms

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.selection import JobDeadline
from lightning_powertrain.selection.ladder import Ladder, Limited, Mixture, Step, best_mixture
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import JobRecord, Observer, Outcome, Phase

JOB = 12_000


class Slow(Changing):
    """The tiny board with a job of half an hour."""

    def __init__(self, factors: Callable[[float], tuple[float, float]] = lambda now_s: (1.0, 1.0)) -> None:
        super().__init__(lambda now_s: (SLOWER * factors(now_s)[0], factors(now_s)[1]))
        self.locked_s = 0.0


SLOWER = 10.0


class Plans(Observer):
    """Keeps every plan."""

    def __init__(self) -> None:
        self.courses: list[JobRecord] = []

    def planned(self, outcome: Outcome) -> None:
        assert outcome.course is not None
        self.courses.append(outcome.course)

    @property
    def course(self) -> JobRecord:
        return self.courses[-1]

    @property
    def changes(self) -> int:
        modes = [point.mode for point in self.course.points]
        return sum(before != after for before, after in zip(modes, modes[1:]))


def ladder(device: Slow) -> Ladder:
    times, powers = SLOWER * true_time_ms(device.modes.array), true_power_w(device.modes.array)
    modes = (device.modes.mode(row) for row in range(len(device.modes)))
    return Ladder.of(Step(mode, float(time), float(time * power)) for mode, time, power in zip(modes, times, powers))


def best(device: Slow, limited: Limited, total: float) -> Mixture:
    """What an oracle that knows the board makes of a budget, without profiling."""
    return best_mixture(ladder(device), limited, total, JOB)


def tuner_of(device: Slow, budget: str, plans: Plans, **given: Any) -> Tuner:
    options = ProfilingOptions(predictor=Proportional(), observers=[plans])
    return Tuner(budget, device=device, max_modes=10, verbose=False, options=options, **given)


def trained(
    device: Slow, budget: str, after: Callable[[Tuner, int], None] = lambda tuner, done: None, **given: Any
) -> Plans:
    plans = Plans()
    with tuner_of(device, budget, plans, **given).start(minibatches=JOB) as tuner:
        for done in range(1, JOB + 1):
            tuner.minibatch_ended()
            after(tuner, done)
        assert tuner.phase is Phase.LOCKED
    return plans


def minutes(device: Slow, share: float) -> float:
    """So many times the least time of the job."""
    return share * JOB * ladder(device).steps[0].time_ms / 60e3


def watt_hours(device: Slow, share: float) -> float:
    """So many times the least energy of the job."""
    return share * JOB * ladder(device).steps[-1].energy_mj / 3.6e6


@pytest.mark.parametrize("share", [1.1, 1.35, 2.0, 9.0])
def test_a_job_is_done_in_time_with_hardly_more_energy_than_the_best_mixture(share: float) -> None:
    device = Slow()
    limit = minutes(device, share)
    plans = trained(device, f"{limit!r} min")
    spent, least = plans.course.now.spent, best(device, "time", limit * 60)
    assert spent.seconds == pytest.approx(device.clock.now())
    assert spent.seconds <= limit * 60
    assert spent.joules <= 1.04 * least.joules
    assert plans.changes <= 5


@pytest.mark.parametrize("share", [1.1, 1.35, 2.0])
def test_a_job_keeps_its_energy_and_is_hardly_slower_than_the_best_mixture(share: float) -> None:
    device = Slow()
    limit = watt_hours(device, share)
    plans = trained(device, f"{limit!r} Wh")
    spent, least = plans.course.now.spent, best(device, "energy", limit * 3600)
    assert spent.joules <= limit * 3600
    assert spent.seconds <= 1.05 * least.seconds
    assert plans.changes <= 5


def test_energy_is_what_the_board_drew_since_the_job_began() -> None:
    device, drawn_j = Slow(), [0.0]
    advance = device.minibatch_ended

    def minibatch_ended() -> None:
        before_s = device.clock.now()
        advance()
        drawn_j[0] += (device.clock.now() - before_s) * device.read_power().total_w

    device.minibatch_ended = minibatch_ended  # type: ignore[method-assign]
    plans = trained(device, f"{watt_hours(device, 1.3)!r} Wh")
    assert plans.course.now.spent.joules == pytest.approx(drawn_j[0], rel=0.005)


@pytest.mark.parametrize("unit", ["min", "Wh"])
def test_validation_counts(unit: str) -> None:
    device = Slow()

    def validate(tuner: Tuner, done: int) -> None:
        if done % 1200 == 0:
            tuner.interrupt()
            device.clock.advance(12.0)

    limit = minutes(device, 1.8) if unit == "min" else 1.8 * watt_hours(device, 1.0)
    plans = trained(device, f"{limit!r} {unit}", validate)
    spent = plans.course.now.spent
    if unit == "min":
        assert spent.seconds / 60 <= limit
    else:  # The last validation draws the power of the mode that the job ends in, which no one before did.
        assert spent.joules / 3600 <= 1.01 * limit
    halfway = plans.course.points[len(plans.course.points) // 2].total
    assert halfway.seconds == pytest.approx(spent.seconds, rel=0.03)
    assert halfway.joules == pytest.approx(spent.joules, rel=0.03)
    # Any mode would have taken the ten validations, too; the last one and one while profiling may be missing.
    assert 8 * 12.0 <= plans.course.now.besides.seconds + 1e-6 <= 10 * 12.0


def test_a_job_that_becomes_slower_is_done_in_time() -> None:
    device = Slow(lambda now_s: (1.25 if now_s > 600 else 1.0, 1.0))
    limit = minutes(device, 2.0)
    plans = trained(device, f"{limit!r} min")
    assert plans.course.now.spent.seconds <= limit * 60
    assert plans.changes <= 8


OUT_OF_REACH = [
    (f"{minutes(Slow(), 0.8)!r} min", "at the earliest"),
    (f"{watt_hours(Slow(), 0.8)!r} Wh", "Wh at least"),
]


@pytest.mark.parametrize(("budget", "can"), OUT_OF_REACH)
def test_what_cannot_be_had_is_said_once_and_the_nearest_is_done(
    budget: str, can: str, caplog: pytest.LogCaptureFixture
) -> None:
    device = Slow()
    modes = []
    with caplog.at_level(logging.WARNING):
        plans = trained(device, budget, lambda tuner, done: modes.append(device.mode) if done == JOB else None)
    (message,) = [record.message for record in caplog.records if "cannot keep its budget" in record.message]
    assert can in message
    steps = ladder(device).steps
    assert modes == [steps[0].mode if "earliest" in can else steps[-1].mode]
    assert plans.changes == 0


@pytest.mark.parametrize(("budget", "can"), OUT_OF_REACH)
def test_what_cannot_be_had_is_an_error_under_strict(budget: str, can: str) -> None:
    device = Slow()
    with pytest.raises(BudgetError, match=can):
        trained(device, budget, strict=True)
    assert device.mode == device.found


def test_a_job_of_unknown_length_is_not_tuned_and_the_message_says_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = Slow()
    with tuner_of(device, "8 h", Plans()).start() as tuner:
        tuner.minibatch_ended()
    (record,) = caplog.records
    assert "start(minibatches=...)" in record.message
    assert device.applied == []
    with pytest.raises(BudgetError, match="max_epochs"):
        tuner_of(device, "8 h", Plans(), strict=True).start()


def test_a_deadline_that_is_over_when_the_job_starts_is_said(caplog: pytest.LogCaptureFixture) -> None:
    device = Slow()
    past: Any = JobDeadline(datetime(2020, 1, 1, 6))
    with tuner_of(device, past, Plans()).start(minibatches=JOB) as tuner:
        tuner.minibatch_ended()
    (record,) = caplog.records
    assert "the time for the whole job (by 2020-01-01T06:00) is over" in record.message


@pytest.mark.parametrize(("share", "is_missed"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("limited", ["time", "energy"])
def test_a_job_that_is_too_short_to_tune_says_whether_its_budget_is_missed(
    limited: Limited, share: float, is_missed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    device, few = Slow(), 100
    start = device.modes.rows([device.found])
    seconds = float(few * SLOWER * true_time_ms(start)[0] / 1e3)
    joules = float(seconds * true_power_w(start)[0])
    budget = f"{share * seconds / 60:.6g} min" if limited == "time" else f"{share * joules / 3.6e3:.6g} Wh"
    with tuner_of(device, budget, Plans()).start(minibatches=few) as tuner:
        train(tuner, few)
    said = [each.message for each in caplog.records if "cannot keep its budget" in each.message]
    assert len(said) == is_missed
    assert all("the one that it started in" in each for each in said)


@pytest.mark.parametrize(("share", "is_tuned"), [(0.95, True), (1.1, False)])
def test_a_job_that_misses_its_budget_as_it_is_pays_for_the_fewest_useful_modes(share: float, is_tuned: bool) -> None:
    """They take a fifth of this job, where a tenth is allowed."""
    device, few = Slow(), 400
    seconds = float(few * SLOWER * true_time_ms(device.modes.rows([device.found]))[0] / 1e3)
    with tuner_of(device, f"{share * seconds / 60:.6g} min", Plans()).start(minibatches=few) as tuner:
        train(tuner, few)
        assert (tuner.outcome is not None) == is_tuned
        spent_s = device.clock.now()
    assert spent_s <= share * seconds * (1.01 if is_tuned else 1.0)


def test_a_job_that_is_too_short_to_tune_and_misses_its_budget_is_an_error_if_strict() -> None:
    device = Slow()
    tuner = tuner_of(device, "0.001 Wh", Plans(), strict=True)
    with tuner.start(minibatches=100), pytest.raises(BudgetError, match=r"needs .* Wh\. "):
        train(tuner, 100)
    assert device.current_mode() == device.found


def train(tuner: Tuner, minibatches: int) -> None:
    for _ in range(minibatches):
        tuner.minibatch_ended()
