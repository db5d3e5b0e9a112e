"""Which optimizer steps end a minibatch, and which intervals are no measure of one."""

from __future__ import annotations

import gc
from collections.abc import Iterable

import pytest

from lightning_powertrain.running.minibatches import MinibatchUnit, Pauses


class Parameter:
    """Stands for one of torch's."""


class Optimizer:
    """Stands for one of torch's; without parameters it is known by itself."""

    def __init__(self, *parameters: Parameter) -> None:
        self.param_groups = [{"params": []}, {"params": [*parameters]}]


def ends(unit: MinibatchUnit, steps: Iterable[Optimizer]) -> list[Optimizer]:
    """The steps with which a minibatch ended."""
    return [step for step in steps if unit.ends_with(step)]


def test_the_only_optimizer_ends_each_minibatch_once_it_is_known() -> None:
    unit, only = MinibatchUnit(), Optimizer()
    assert ends(unit, [only] * 19) == []
    assert not unit.is_known
    assert ends(unit, [only] * 8) == [only] * 7
    assert unit.minibatches == 27


@pytest.mark.parametrize("often", [1, 2, 5, 7])
def test_a_generator_ends_the_minibatch_of_its_discriminator(often: int) -> None:
    unit, discriminator, generator = MinibatchUnit(), Optimizer(), Optimizer()
    cycle = [discriminator] * often + [generator]
    ends(unit, cycle * 20)
    assert unit.is_known
    assert len(ends(unit, cycle * 10)) == 10
    assert unit.minibatches == 30


def test_an_optimizer_for_each_layer() -> None:
    unit, layers = MinibatchUnit(), [Optimizer() for _ in range(50)]
    ends(unit, layers * 20)
    assert len(ends(unit, layers * 10)) == 10


def test_optimizers_of_inner_loops_come_and_go() -> None:
    unit, outer = MinibatchUnit(), Optimizer()
    for _ in range(30):
        ends(unit, [Optimizer()] * 5 + [outer])
    assert ends(unit, [*[Optimizer()] * 5, outer]) == [outer]


def test_one_that_steps_seldom_and_late_is_no_measure() -> None:
    unit, often, once = MinibatchUnit(), Optimizer(), Optimizer()
    ends(unit, [*[often] * 18, once, *[often] * 2])
    assert ends(unit, [often, once, often]) == [often, often]


def test_training_after_a_learning_rate_finder_with_an_optimizer_of_its_own() -> None:
    unit, finder, optimizer = MinibatchUnit(), Optimizer(), Optimizer()
    ends(unit, [finder] * 100)
    assert ends(unit, [optimizer] * 20) == []
    ends(unit, [optimizer] * 21)
    assert ends(unit, [optimizer] * 3) == [optimizer] * 3


def test_optimizers_of_the_same_parameters_are_one() -> None:
    unit, weight = MinibatchUnit(), Parameter()
    ends(unit, [optimizer for _ in range(2) for optimizer in [Optimizer(weight)] * 10])
    assert unit.is_known
    other = Optimizer(Parameter())
    last = [Optimizer(weight), Optimizer(weight)]
    assert ends(unit, [last[0], other, last[1]]) == last
    assert unit.minibatches == 22


def test_an_optimizer_that_is_gone_is_replaced_at_once() -> None:
    unit, finder, optimizer = MinibatchUnit(), Optimizer(), Optimizer()
    ends(unit, [finder] * 30)
    del finder
    gc.collect()
    ends(unit, [optimizer])
    assert not unit.is_known
    assert ends(unit, [optimizer] * 22) == [optimizer] * 2


def pauses_in(intervals: list[float]) -> list[int]:
    """Where pauses were seen."""
    pauses = Pauses()
    return [place for place, seconds in enumerate(intervals) if pauses.is_pause(seconds)]


def test_an_evaluation_after_each_epoch_is_a_pause() -> None:
    epoch = [0.1] * 20 + [2.0]
    assert pauses_in(epoch * 4) == [20, 41, 62, 83]


def test_scatter_is_no_pause() -> None:
    assert pauses_in([0.1, 0.12, 0.09, 0.3] * 10) == []


def test_a_loader_that_makes_every_fourth_minibatch_wait_is_how_the_job_runs() -> None:
    assert pauses_in([0.01, 0.01, 0.01, 0.4] * 10) == []


def test_nothing_is_a_pause_before_the_usual_interval_is_known() -> None:
    assert pauses_in([0.1] * 7 + [9.0]) == []


def test_a_slower_power_mode_begins_anew() -> None:
    pauses = Pauses()
    assert not any(pauses.is_pause(0.1) for _ in range(20))
    pauses.forget()
    assert not any(pauses.is_pause(0.9) for _ in range(20))
