from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain.simulation import Pace


def pace(ready_s: float, time_s: float, seed: int = 0) -> Pace:
    new = Pace(np.random.default_rng(seed))
    new.settle(ready_s, time_s, prefetched=8)
    return new


def drawn(source: Pace, count: int) -> list[float]:
    return [source.next_s() for _ in range(count)]


def test_settled_minibatches_scatter_about_the_settled_time_with_a_heavy_tail() -> None:
    times_s = np.array(drawn(pace(0.1, 0.1), 20_000))
    assert times_s.mean() == pytest.approx(0.1, rel=0.002)
    assert np.median(times_s) < times_s.mean()
    assert 0.01 < (times_s > 0.105).mean() < 0.05
    assert times_s.min() > 0.08


def test_equal_seeds_give_equal_times() -> None:
    assert drawn(pace(0.1, 0.1, seed=3), 200) == drawn(pace(0.1, 0.1, seed=3), 200)
    assert drawn(pace(0.1, 0.1, seed=3), 200) != drawn(pace(0.1, 0.1, seed=4), 200)


def means_after_switch(before: tuple[float, float], after: tuple[float, float]) -> np.ndarray:
    runs = []
    for seed in range(50):
        source = pace(*before, seed=seed)
        drawn(source, 10)
        source.switch(*after, prefetched=8, cores_changed=0)
        runs.append(drawn(source, 16))
    return np.mean(runs, axis=0)


def test_the_first_minibatches_after_a_switch_are_slow() -> None:
    means_s = means_after_switch((0.1, 0.1), (0.2, 0.2))
    assert means_s[0] > 1.3 * 0.2
    assert means_s[8:] == pytest.approx(0.2, rel=0.03)


def test_prefetched_minibatches_hide_a_slower_loader_until_they_are_used_up() -> None:
    means_s = means_after_switch((0.1, 0.1), (0.1, 0.4))
    assert means_s[2] < 0.25
    assert means_s[8:] == pytest.approx(0.4, rel=0.03)


def test_a_queue_that_was_empty_takes_time_to_fill() -> None:
    means_s = means_after_switch((0.1, 0.4), (0.1, 0.1))
    assert means_s[2] > 0.25
    assert means_s[8:] == pytest.approx(0.1, rel=0.03)


def test_hotplug_takes_time_for_each_core() -> None:
    one, eight = pace(0.1, 0.1), pace(0.1, 0.1)
    one.switch(0.1, 0.1, 8, cores_changed=1)
    eight.switch(0.1, 0.1, 8, cores_changed=8)
    assert eight.next_s() - one.next_s() == pytest.approx(7 * 0.04)
    assert eight.next_s() == one.next_s()


def test_the_wait_is_the_part_of_a_minibatch_before_its_data_is_there() -> None:
    source = Pace(np.random.default_rng(0))
    source.settle(0.3, 0.4, prefetched=8, loading_s=0.1)
    for _ in range(100):
        assert source.next_wait_s() == source.next_wait_s() == pytest.approx(source.next_s() / 2)
