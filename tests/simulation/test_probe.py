from __future__ import annotations

import copy
import io
import threading
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import _global_forward_hooks
from torch.utils.flop_counter import FlopCounterMode

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import Workload, load_physics, steady_state
from lightning_powertrain.simulation.probe import ModelProbe

MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.Conv2d(64, 64, 3, groups=4)),
        (4, 3, 32, 32),
    ),
    "transposed": (lambda: nn.ConvTranspose2d(4, 8, 3, stride=2, groups=2), (4, 4, 8, 8)),
    "perceptron": (lambda: nn.Sequential(nn.Linear(200, 300), nn.Dropout(), nn.ReLU(), nn.Linear(300, 50)), (8, 200)),
    "transformer": (lambda: nn.TransformerEncoderLayer(256, 4, batch_first=True), (4, 10, 256)),
}


def probed(module: nn.Module, minibatch: Tensor) -> Workload:
    probe = ModelProbe(module)
    probe.start()
    module(minibatch)
    return probe.finish(num_workers=2, prefetch_factor=3)


@pytest.mark.parametrize("name", MODELS)
def test_forward_flop_are_those_that_torch_counts(name: str) -> None:
    build, shape = MODELS[name]
    module, minibatch = build(), torch.zeros(shape)
    with FlopCounterMode(display=False) as counter:
        module(minibatch)
    forward = [group for group in probed(module, minibatch).groups if "backward" not in group.name][:-1]
    assert sum(group.gflop for group in forward) * 1e9 == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_recurrent_flop_are_every_weight_at_every_step() -> None:
    module = nn.LSTM(16, 32, num_layers=2, bidirectional=True)
    weights = sum(parameter.numel() for name, parameter in module.named_parameters() if "weight" in name)
    assert probed(module, torch.zeros(7, 4, 16)).groups[0].gflop * 1e9 == pytest.approx(2 * 7 * 4 * weights)


def test_training_is_three_times_forward() -> None:
    build, shape = MODELS["perceptron"]
    groups = probed(build(), torch.zeros(shape)).groups
    forward = [group for group in groups if "backward" not in group.name][:-1]
    backward = [group for group in groups if "backward" in group.name]
    assert sum(group.gflop for group in backward) == pytest.approx(2 * sum(group.gflop for group in forward))


def trained(watched: bool) -> tuple[list[Tensor], Tensor]:
    """Weights and random state after some minibatches, one of them watched or not."""
    torch.manual_seed(1)
    layers = [("conv", nn.Conv1d(4, 8, 3)), ("drop", nn.Dropout()), ("flat", nn.Flatten()), ("out", nn.Linear(48, 2))]
    module = nn.Sequential(OrderedDict(layers))
    optimizer = torch.optim.Adam(module.parameters())
    probe = ModelProbe(module)
    for step in range(5):
        if watched and step == 2:
            probe.start()
        optimizer.zero_grad()
        module(torch.randn(16, 4, 8)).square().mean().backward()
        optimizer.step()
        if watched and step == 2:
            probe.finish()
    return [parameter.detach() for parameter in module.parameters()], torch.get_rng_state()


def test_weights_and_random_state_are_equal_bit_for_bit() -> None:
    with torch.random.fork_rng():
        (plain, plain_state), (watched, watched_state) = trained(watched=False), trained(watched=True)
    assert all(torch.equal(a, b) for a, b in zip(plain, watched))
    assert torch.equal(plain_state, watched_state)


def test_the_hook_goes_at_the_end_and_at_a_second_start() -> None:
    probe = ModelProbe(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    before = len(_global_forward_hooks)
    for _ in range(2):
        probe.start()
        assert len(_global_forward_hooks) == before + 1
    probe.finish()
    assert len(_global_forward_hooks) == before


def test_copied_and_saved_modules_take_nothing_along() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module.lock = threading.Lock()  # type: ignore[assignment]  # cannot be copied
    probe = ModelProbe(module)
    probe.start()
    copied = copy.deepcopy(module[0])
    torch.save(module[0], io.BytesIO())
    copied(torch.zeros(8, 4))
    module[1](torch.zeros(8, 4))
    assert len([group for group in probe.finish().groups if group.name == "Linear"]) == 1
    assert not copied._forward_hooks


def test_fused_modules_are_left_alone() -> None:
    layer = nn.TransformerEncoderLayer(8, 2).eval()
    module = nn.Sequential(layer, nn.Linear(8, 4))
    groups = probed(module, torch.zeros(5, 3, 8)).groups
    assert [group.name for group in groups] == ["Linear", "Linear backward", "optimizer"]


def compiled_function(module: nn.Module) -> Callable[[Tensor], Tensor]:
    return torch.compile(lambda minibatch: module(minibatch) * 2, backend="eager")


def compiled_module(module: nn.Module) -> Callable[[Tensor], Tensor]:
    module.part = torch.compile(nn.Linear(4, 4), backend="eager")  # type: ignore[assignment]
    return lambda minibatch: module.part(module(minibatch)) * 2


def compiled_in_place(module: nn.Module) -> Callable[[Tensor], Tensor]:
    module.compile(backend="eager")
    return lambda minibatch: module(minibatch) * 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of the compiler itself, about what it traces
@pytest.mark.parametrize("compiled", [compiled_function, compiled_module, compiled_in_place])
def test_compiled_models_run_as_without_it(compiled: Callable[[nn.Module], Callable[[Tensor], Tensor]]) -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    probe = ModelProbe(model)
    step = compiled(model)
    probe.start()
    watched = step(torch.ones(2, 4))
    assert probe.finish().name == "generic"
    assert torch.equal(watched, step(torch.ones(2, 4)))


class Odd(nn.Module):
    def forward(self, minibatch: Tensor) -> str:
        return "no tensor here"


@pytest.mark.parametrize("module", [nn.Sequential(), nn.Identity(), Odd(), nn.LazyLinear(3)])
def test_a_module_with_nothing_to_count_gives_a_small_valid_workload(module: nn.Module) -> None:
    probe = ModelProbe(module)
    probe.start()
    if not isinstance(module, nn.LazyLinear):
        module(torch.zeros(8, 4))
    workload = probe.finish()
    modes = load_board("orin-agx-64gb").modes
    state = steady_state(load_physics("orin-agx-64gb"), workload, modes.rows([modes.highest]))
    assert workload.name == "generic"
    assert 0 < state.time_ms[0] < 20


def test_the_loader_of_the_job_is_taken_over() -> None:
    workload = probed(nn.Linear(4, 4), torch.zeros(8, 4))
    assert (workload.num_workers, workload.prefetch_factor, workload.minibatch_size) == (2, 3, 8)
    assert workload.loader_mcycles > 0
    with pytest.raises(ArgumentError, match="num_workers=-1"):
        ModelProbe(nn.Linear(4, 4)).finish(num_workers=-1)


def test_a_deep_model_gives_few_groups() -> None:
    module = nn.Sequential(*[nn.Linear(4, 4) for _ in range(100)])
    assert len(probed(module, torch.zeros(2, 4)).groups) <= 25
