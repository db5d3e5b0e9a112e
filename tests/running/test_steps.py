"""Every optimizer step is seen, whatever kind of optimizer makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.optim.optimizer import _global_optimizer_post_hooks

from lightning_powertrain.running.steps import StepWatch

VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])
SCALER = getattr(torch.amp, "GradScaler", None) or torch.cuda.amp.GradScaler
SCALES_ON_CPU = pytest.mark.skipif(VERSION < (2, 3), reason="before torch 2.3 a gradient scaler works on GPUs only")
FUSED_ON_CPU = pytest.mark.skipif(VERSION < (2, 4), reason="before torch 2.4 fused optimizers are for GPUs only")
HOOKS_IN_COMPILED = pytest.mark.skipif(VERSION < (2, 4), reason="torch 2.1 calls no hooks in a compiled step, 2.4 does")
COMPILING = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning",
    "ignore:Guards may run slower on Python 3.13.0:RuntimeWarning",
)


@pytest.fixture
def seen() -> Iterator[list[Any]]:
    """The optimizers that have stepped, while they are watched."""
    steps: list[Any] = []
    watch = StepWatch(steps.append)
    watch.start()
    yield steps
    watch.stop()


def model() -> torch.nn.Linear:
    return torch.nn.Linear(4, 4)


def loss(layer: torch.nn.Linear) -> torch.Tensor:
    return layer(torch.ones(2, 4)).square().mean()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.SGD(p, lr=0.1),
        pytest.param(lambda p: torch.optim.Adam(p, fused=True), marks=FUSED_ON_CPU),
        lambda p: torch.optim.AdamW(p, foreach=True),
        lambda p: torch.optim.Adagrad(p, foreach=False),
    ],
)
def test_eager_optimizers(seen: list[Any], optimizer: Callable[..., torch.optim.Optimizer]) -> None:
    layer = model()
    stepping = optimizer(layer.parameters())
    for _ in range(3):
        stepping.zero_grad()
        loss(layer).backward()
        stepping.step()
    assert seen == [stepping] * 3


def test_a_closure_that_is_evaluated_several_times_makes_one_step(seen: list[Any]) -> None:
    layer = model()
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=4)
    evaluations = 0

    def closure() -> float:
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        value = loss(layer)
        value.backward()
        return value.item()

    optimizer.step(closure)
    assert evaluations > 1
    assert seen == [optimizer]


@SCALES_ON_CPU
@pytest.mark.parametrize("fused", [{}, pytest.param({"fused": True}, marks=FUSED_ON_CPU)], ids=["plain", "fused"])
@pytest.mark.parametrize("overflows", [False, True])
def test_a_gradient_scaler_makes_one_step_also_where_it_skips_it(seen: list[Any], fused: Any, overflows: bool) -> None:
    layer = model()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, **fused)
    scaler = SCALER("cpu", init_scale=2.0)
    before = layer.weight.detach().clone()
    scaler.scale(loss(layer)).backward()
    if overflows:
        assert layer.weight.grad is not None
        layer.weight.grad.fill_(float("inf"))
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(layer.weight, before) == overflows
    assert seen == [optimizer]


class Own(torch.optim.Optimizer):
    """An optimizer of somebody else, with nothing in it that ends a compiled graph."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad, alpha=0.1)


@HOOKS_IN_COMPILED
@COMPILING
def test_a_step_that_is_compiled(seen: list[Any]) -> None:
    layer = model()
    optimizer = torch.optim.Adam(layer.parameters())
    step = torch.compile(lambda: optimizer.step(), backend="eager")
    for _ in range(4):
        loss(layer).backward()
        step()
    assert seen == [optimizer] * 4


@HOOKS_IN_COMPILED
@COMPILING
def test_a_whole_minibatch_that_is_compiled(seen: list[Any]) -> None:
    layer = model()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)

    def minibatch() -> None:
        optimizer.zero_grad()
        loss(layer).backward()
        optimizer.step()

    compiled = torch.compile(minibatch, backend="eager")
    for _ in range(4):
        compiled()
    assert seen == [optimizer] * 4


@SCALES_ON_CPU
@HOOKS_IN_COMPILED
@COMPILING
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_gradient_scaler_in_a_compiled_minibatch(seen: list[Any]) -> None:
    layer = model()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    scaler = SCALER("cpu", init_scale=2.0)

    def minibatch() -> None:
        scaler.scale(loss(layer)).backward()
        scaler.step(optimizer)
        scaler.update()

    compiled = torch.compile(minibatch, backend="eager")
    for _ in range(4):
        compiled()
    assert seen == [optimizer] * 4


@COMPILING
def test_a_graph_that_must_not_be_split_is_left_whole(seen: list[Any]) -> None:
    layer = model()
    optimizer = Own(layer.parameters())
    step = torch.compile(lambda: optimizer.step(), backend="eager", fullgraph=True)
    loss(layer).backward()
    step()
    assert seen == []
    optimizer.step()
    assert seen == [optimizer]


def test_nothing_is_left_in_torch() -> None:
    hooks = dict(_global_optimizer_post_hooks)
    scaler_step = SCALER.step
    watch = StepWatch(print)
    watch.start()
    assert SCALER.step is not scaler_step
    watch.stop()
    watch.stop()
    assert dict(_global_optimizer_post_hooks) == hooks
    assert SCALER.step is scaler_step
    assert not watch.is_active
