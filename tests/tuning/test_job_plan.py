"""The plan of a whole job, and what it counts, step by step."""

from __future__ import annotations

from datetime import datetime, time

import pytest
from fakes import TINY, FakeDevice

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Interval, Stopwatch
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import EnergyBudget, JobBudget, JobDeadline, JobEnergy, JobTime, PaceBudget
from lightning_powertrain.tuning.job_ledger import JobLedger, Spent, Steady
from lightning_powertrain.tuning.job_plan import JobPlan

NOW = datetime(2026, 11, 30, 17, 0)
FAST, MIDDLE, SLOW, BAD = (TINY.modes.mode(row) for row in range(4))
MEASURED = [
    Measurement(FAST, 100.0, 40.0),
    Measurement(MIDDLE, 150.0, 20.0),
    Measurement(SLOW, 300.0, 8.0),
    Measurement(BAD, 250.0, 20.0),
]


class Book(JobLedger):
    """A ledger in which the test writes."""

    def __init__(self) -> None:
        self.before, self.count, self.now = Spent(), 0, Spent()

    @property
    def minibatches(self) -> int:
        return self.count

    @property
    def interruptions(self) -> Spent:
        return Spent(30.0, 300.0)

    @property
    def spent(self) -> Spent:
        return self.now

    def others(self, minibatches: int) -> Spent:
        return Spent()


def plan_for(budget: JobBudget, minibatches: int = 1000) -> JobPlan:
    plan = JobPlan(budget, minibatches, Book(), NOW)
    plan.learn(MEASURED)
    return plan


def test_a_time_of_day_is_the_next_one() -> None:
    assert JobDeadline(time(18, 30)).total(NOW) == 1.5 * 3600
    assert JobDeadline(time(17, 0)).total(NOW) == 24 * 3600
    assert JobDeadline(time(6, 0)).total(NOW) == 13 * 3600
    assert JobDeadline(datetime(2026, 12, 2, 17, 0)).total(NOW) == 48 * 3600


def test_the_search_looks_for_the_mean_pace() -> None:
    assert plan_for(JobTime(2.0)).objective(MEASURED[0]) == PaceBudget(pytest.approx(120.0, rel=0.01))
    assert plan_for(JobEnergy(1.0)).objective(MEASURED[0]) == EnergyBudget(pytest.approx(3600.0, rel=0.01))


@pytest.mark.parametrize(
    ("minutes", "mode"), [(1.0, FAST), (2.4, FAST), (2.6, MIDDLE), (4.9, MIDDLE), (5.1, SLOW), (60.0, SLOW)]
)
def test_a_job_begins_in_the_mode_that_is_surely_fast_enough(minutes: float, mode: PowerMode) -> None:
    assert plan_for(JobTime(minutes)).next_mode(BAD, 0.0) == mode


@pytest.mark.parametrize(("watt_hours", "mode"), [(0.1, SLOW), (0.8, SLOW), (0.85, MIDDLE), (1.1, MIDDLE), (1.2, FAST)])
def test_a_job_begins_in_the_mode_that_surely_saves_enough(watt_hours: float, mode: PowerMode) -> None:
    assert plan_for(JobEnergy(watt_hours)).next_mode(BAD, 0.0) == mode


def test_a_mode_stays_while_it_keeps_the_budget_by_little() -> None:
    plan = plan_for(JobTime(1000 * 0.150 / 60 * 1.006))
    assert plan.next_mode(MIDDLE, 0.0) == MIDDLE
    assert plan.next_mode(FAST, 0.0) == FAST


def saving(share: float) -> JobPlan:
    """A plan with all the time in the world, for which SLOW saves so much of the energy of FAST."""
    plan = plan_for(JobTime(60.0))
    plan.learn([Measurement(FAST, 100.0, 40.0), Measurement(SLOW, 110.0, 40.0 / 1.1 * (1 - share))])
    return plan


def test_changes_that_are_not_needed_are_few_an_hour() -> None:
    plan = saving(0.02)
    assert [plan.next_mode(FAST, now_s) for now_s in range(6)] == [SLOW] * 5 + [FAST]
    assert plan.next_mode(FAST, 3601.0) == SLOW
    late = plan_for(JobTime(1.0))
    assert [late.next_mode(SLOW, now_s) for now_s in range(20)] == [FAST] * 20


def test_no_job_is_stuck_in_a_mode_that_wastes_much() -> None:
    plan = saving(0.04)
    assert [plan.next_mode(FAST, now_s) for now_s in range(20)] == [SLOW] * 20


def test_a_mode_of_which_only_the_window_is_known_has_to_save_more() -> None:
    plan = saving(0.008)
    assert plan.next_mode(FAST, 0.0) == FAST
    plan.observe(SLOW, Steady(1000, plan.minibatch(SLOW) * 1000))
    assert plan.next_mode(FAST, 0.0) == SLOW
    assert saving(0.02).next_mode(FAST, 0.0) == SLOW


def test_what_a_mode_takes_in_the_job_replaces_its_window() -> None:
    plan = plan_for(JobTime(2.52))
    assert plan.next_mode(MIDDLE, 0.0) == MIDDLE
    plan.observe(MIDDLE, Steady(100, Spent(15.3, 300.0)))
    assert plan.minibatch(MIDDLE) == Spent(0.15, 3.0)  # Not for long enough.
    plan.observe(MIDDLE, Steady(1000, Spent(153.0, 3000.0)))
    assert plan.minibatch(MIDDLE) == Spent(pytest.approx(0.153), pytest.approx(3.0))
    assert plan.minibatch(FAST) == Spent(0.1, 4.0)
    assert plan.next_mode(MIDDLE, 0.0) == FAST


def test_work_that_changes_moves_all_modes() -> None:
    plan = plan_for(JobTime(2.52))
    plan.observe(MIDDLE, Steady(1000, Spent(300.0, 3000.0)))
    assert plan.minibatch(FAST) == Spent(pytest.approx(0.2), pytest.approx(4.0))


def test_what_is_expected_is_the_best_mixture() -> None:
    plan = plan_for(JobTime(2.0))
    planned = plan.forecast(FAST)
    assert planned.total.seconds == pytest.approx(120.0, rel=0.004)
    assert planned.total.joules == pytest.approx(600 * 4.0 + 400 * 3.0, rel=0.01)
    assert planned.change_s == pytest.approx(60.0, rel=0.02)
    assert planned.least == pytest.approx(100.0)
    assert planned.besides == Spent(30.0, 300.0)


# The ledger.


class Job:
    """A job on the tiny board."""

    def __init__(self) -> None:
        self.device = FakeDevice()
        self.stopwatch = Stopwatch(self.device.clock)
        self.ledger = JobLedger(self.device, self.stopwatch)
        self.ledger.start()
        self.minibatch = Spent()

    def train(self, minibatches: int, at_least_s: float = 1.0) -> None:
        for _ in range(minibatches):
            self.device.minibatch_ended()
            for interval in self.stopwatch.minibatch_ended(cycle_complete=True, at_least_s=at_least_s):
                self.take(interval)
                self.stopwatch.restart()

    def take(self, interval: Interval) -> None:
        if self.minibatch.seconds:
            self.ledger.add(interval, self.minibatch)

    def pause(self, seconds: float) -> None:
        self.stopwatch.interrupt()
        self.device.clock.advance(seconds)


def test_a_ledger_tells_minibatches_from_interruptions() -> None:
    job = Job()
    job.train(100)
    job.pause(10.0)
    job.train(100)
    minibatch_s = (job.device.clock.now() - 10.0) / 200
    watts = job.device.read_power().total_w
    start = Measurement(job.device.mode, 1e3 * minibatch_s, watts)
    job.ledger.locked(start)
    job.stopwatch.restart()
    job.minibatch = Spent(minibatch_s, minibatch_s * watts)
    assert job.ledger.others(200).seconds == pytest.approx(10.0, rel=0.02)
    job.train(150)
    job.pause(30.0)
    job.train(151)
    assert job.ledger.others(1000).seconds == pytest.approx(6 * 20.0, rel=0.05)
    assert job.ledger.others(1).joules == pytest.approx(20.0 * watts, rel=0.05)
    assert job.ledger.others(0) == Spent()
    steady = job.ledger.steady
    assert steady.spent.seconds == pytest.approx(steady.minibatches * minibatch_s, rel=0.01)
    assert steady.spent.joules == pytest.approx(steady.minibatches * minibatch_s * watts, rel=0.01)
    assert job.ledger.spent.seconds == pytest.approx(job.device.clock.now())
    job.ledger.before = Spent(100.0, 1000.0)
    assert job.ledger.spent.seconds == pytest.approx(job.device.clock.now() + 100.0)
    job.ledger.close()
