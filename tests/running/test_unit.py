"""Which optimizer steps end a minibatch."""

from __future__ import annotations

import gc
from collections.abc import Iterable

import pytest

from lightning_powertrain.running.unit import MinibatchUnit


class Optimizer:
    """Stands for one of torch's."""


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


def test_an_optimizer_that_is_gone_is_replaced_at_once() -> None:
    unit, finder, optimizer = MinibatchUnit(), Optimizer(), Optimizer()
    ends(unit, [finder] * 30)
    del finder
    gc.collect()
    ends(unit, [optimizer])
    assert not unit.is_known
    assert ends(unit, [optimizer] * 22) == [optimizer] * 2
