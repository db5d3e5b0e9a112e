"""Which intervals come out of which ends of minibatches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.devices import Interval, Stopwatch, VirtualClock


def started() -> tuple[VirtualClock, Stopwatch]:
    clock = VirtualClock()
    stopwatch = Stopwatch(clock)
    stopwatch.restart()
    return clock, stopwatch


def end(clock: VirtualClock, stopwatch: Stopwatch, seconds: float, at_least_s: float = 0.0) -> list[Interval]:
    clock.advance(seconds)
    return list(stopwatch.minibatch_ended(cycle_complete=True, at_least_s=at_least_s))


def test_the_first_minibatch_is_no_measure() -> None:
    clock = VirtualClock()
    stopwatch = Stopwatch(clock)
    assert [each.clean for each in end(clock, stopwatch, 1.0)] == [False]


def test_a_cycle_of_several_minibatches_is_one_interval() -> None:
    clock, stopwatch = started()
    clock.advance(1.0)
    assert not stopwatch.minibatch_ended(cycle_complete=False, at_least_s=0.0)
    assert end(clock, stopwatch, 2.0) == [Interval(0.0, 3.0, 2)]


def test_a_stretch_is_as_long_as_it_has_to_be() -> None:
    clock, stopwatch = started()
    assert not end(clock, stopwatch, 0.4, at_least_s=1.0)
    assert not end(clock, stopwatch, 0.4, at_least_s=1.0)
    assert end(clock, stopwatch, 0.4, at_least_s=1.0) == [Interval(0.0, 1.2000000000000002, 3)]


def test_what_came_before_an_interruption_counts() -> None:
    clock, stopwatch = started()
    assert not end(clock, stopwatch, 0.5, at_least_s=1.0)
    stopwatch.interrupt()
    assert end(clock, stopwatch, 9.5, at_least_s=1.0) == [Interval(0.0, 0.5, 1), Interval(0.5, 10.0, 1, clean=False)]


@given(
    st.lists(st.tuples(st.floats(0.01, 3.0), st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.0, 1.0, 5.0]),
)
def test_no_second_is_lost_and_no_interrupted_one_is_clean(
    minibatches: list[tuple[float, bool, bool]], at_least_s: float
) -> None:
    clock, stopwatch = started()
    intervals: list[Interval] = []
    interruptions: list[float] = []
    for seconds, is_interrupted, cycle_complete in [*minibatches, (9.0, False, True)]:
        if is_interrupted:
            stopwatch.interrupt()
            interruptions.append(clock.now())
        clock.advance(seconds)
        ended = stopwatch.minibatch_ended(cycle_complete=cycle_complete, at_least_s=at_least_s)
        if ended:
            stopwatch.restart()
        intervals += ended
    edges = [0.0, *(each.end_s for each in intervals)]
    assert [each.start_s for each in intervals] == edges[:-1]
    assert edges[-1] == clock.now()
    assert sum(each.minibatches for each in intervals) == len(minibatches) + 1
    for interval in intervals:
        # An interruption comes after the end of a minibatch, and spoils what follows.
        assert not (interval.clean and any(interval.start_s <= at_s < interval.end_s for at_s in interruptions))
        assert not interval.clean or interval.seconds >= min(at_least_s, 0.01)


def test_the_wait_for_data_ends_when_the_data_is_there() -> None:
    clock, stopwatch = started()
    clock.advance(0.25)
    stopwatch.minibatch_started()
    clock.advance(1.0)
    assert not stopwatch.minibatch_ended(cycle_complete=False, at_least_s=0.0)
    clock.advance(0.5)
    stopwatch.minibatch_started()
    (interval,) = end(clock, stopwatch, 2.0)
    assert (interval.seconds, interval.waited_s) == (3.75, 0.75)
    stopwatch.restart()
    stopwatch.minibatch_started()
    (interval,) = end(clock, stopwatch, 2.0)
    assert interval.waited_s == 0.0


def test_a_wait_that_was_not_reported_is_unknown() -> None:
    """Also where it was reported for some minibatches of a cycle only."""
    clock, stopwatch = started()
    (interval,) = end(clock, stopwatch, 1.0)
    assert interval.waited_s is None
    stopwatch.restart()
    stopwatch.minibatch_started()
    stopwatch.minibatch_ended(cycle_complete=False, at_least_s=0.0)
    (interval,) = end(clock, stopwatch, 1.0)
    assert interval.waited_s is None
