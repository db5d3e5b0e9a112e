"""What the model of a real training job asks of a board, seen while it runs one minibatch of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.parameter import is_lazy

from lightning_powertrain.simulation.network import KernelGroup, backward, optimizer_step
from lightning_powertrain.simulation.workload import Workload

_log = logging.getLogger("lightning_powertrain")

# Older versions of torch have no such function: there, what is compiled may fail in the hook.
_is_compiling: Callable[[], bool] = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)

_HOST_MCYCLES_PER_LAUNCH = 0.19
_LOADER_MCYCLES_PER_MB = 46.0
"""Of input to the model: as for ImageNet, whose 224 x 224 images of 0.6 MB take 28 million cycles to make."""
_LOADER_MB_PER_MB = 16.0
_MOST_GROUPS = 12
_COUNTED_WHOLE = (nn.MultiheadAttention, nn.RNNBase)
_FUSED_IN_EVALUATION = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)


class ModelProbe:
    """Derives the ``generic`` workload from a model, by a hook that looks at shapes and at nothing else.

    It neither runs the model nor reads a value, so numerics and random states stay as they are. The hook is one for all
    modules of the process instead of one a module: a copied or saved module takes nothing of it along. What a model
    computes outside its modules, or in compiled and scripted code, goes unseen; so does all of a model with a compiled
    module.

    Args:
        module: The model, before it has seen the minibatch.

    >>> model = nn.Linear(100, 10)
    >>> probe = ModelProbe(model)
    >>> probe.start()
    >>> _ = model(torch.zeros(8, 100))
    >>> workload = probe.finish(num_workers=2, prefetch_factor=2)
    >>> workload.name, workload.minibatch_size, workload.groups[0].gflop
    ('generic', 8, 1.6e-05)
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._watched: set[int] = set()
        self._handle: torch.utils.hooks.RemovableHandle | None = None
        self._calls: list[_Call] = []

    def start(self) -> None:
        """Begin to watch; forgets what was seen before."""
        self.stop()
        self._calls = []
        self._watched = set(map(id, _watchable(self._module)))
        # A compiled module would warn of such a hook, and be compiled anew when it goes.
        if not any(map(_is_compiled, self._module.modules())):
            self._handle = register_module_forward_hook(self._watch)

    def finish(self, num_workers: int = 4, prefetch_factor: int = 2) -> Workload:
        """Stop watching and describe what was seen since :meth:`start` as one training minibatch.

        Args:
            num_workers: Workers of the job's data loader.
            prefetch_factor: Minibatches that each has ready.

        Raises:
            ArgumentError: If one of the two is negative.
        """
        self.stop()
        calls = self._calls or [_NOTHING_SEEN]
        forward = [_merged(chunk) for chunk in _chunks(calls)]
        parameters_mb = sum(_megabytes(parameter) for parameter in self._module.parameters() if not is_lazy(parameter))
        input_mb = calls[0].input_mb
        return Workload(
            name="generic",
            groups=(*forward, *(backward(group) for group in reversed(forward)), optimizer_step(parameters_mb)),
            minibatch_size=calls[0].samples,
            loader_mcycles=_LOADER_MCYCLES_PER_MB * input_mb,
            loader_mb=_LOADER_MB_PER_MB * input_mb,
            num_workers=num_workers,
            prefetch_factor=prefetch_factor,
        )

    def stop(self) -> None:
        """Stop watching: remove the hook."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = None

    def _watch(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if _is_compiling() or id(module) not in self._watched:
            return
        # A hook that raises would end the user's training; a call that cannot be counted is left out instead.
        try:
            inputs, outputs = _tensors(args), _tensors(output)
            # Such a hook is not given keyword arguments. Most modules take in about as much as they put out.
            self._calls.append(_seen(module, inputs or outputs, outputs))
        except Exception:
            _log.debug("A call of %s is not counted.", type(module).__name__, exc_info=True)


@dataclass(frozen=True)
class _Call:
    """One call of one module: what its kernels do, and what came in."""

    group: KernelGroup
    samples: int
    input_mb: float


_NOTHING_SEEN = _Call(KernelGroup("unseen", 1e-3, 1.0, 10, 0.1, 10 * _HOST_MCYCLES_PER_LAUNCH), 1, 0.0)


def _watchable(root: nn.Module) -> list[nn.Module]:
    """The modules to count: those without children, and those that torch runs as one.

    A transformer layer under evaluation calls none of its parts where it takes its fused path.
    """
    if not root.training and isinstance(root, _FUSED_IN_EVALUATION):
        return []
    if isinstance(root, torch.jit.ScriptModule):
        return []
    children = list(root.children())
    if isinstance(root, _COUNTED_WHOLE) or not children:
        return [root]
    found = [module for child in children for module in _watchable(child)]
    return list(dict.fromkeys(found))


def _is_compiled(module: nn.Module) -> bool:
    """Whether torch.compile made it, or ``module.compile()`` changed it in place."""
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def _seen(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Call:
    gflop, launches, efficiency = next(
        count(module, inputs, outputs) for kind, count in _COUNTERS if isinstance(module, kind)
    )
    parameters_mb = sum(map(_megabytes, module.parameters()))
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        parameters_mb = 0.0
    traffic_mb = sum(map(_megabytes, inputs)) + sum(map(_megabytes, outputs)) + parameters_mb
    group = KernelGroup(
        type(module).__name__, gflop, traffic_mb, launches, efficiency, launches * _HOST_MCYCLES_PER_LAUNCH
    )
    first = inputs[0]
    return _Call(group, max(first.shape[0] if first.dim() else 1, 1), _megabytes(first))


_Count = Tuple[float, int, float]
"""GFLOP, kernels, share of the GPU's peak that they reach."""


def _convolution(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Count:
    """Each value of the output (of the input, when transposed) meets the kernel once, in each channel of its group."""
    assert isinstance(module, nn.modules.conv._ConvNd)
    taps = prod(module.kernel_size) / module.groups
    if module.transposed:
        gflop = 2e-9 * inputs[0].numel() * module.out_channels * taps
    else:
        gflop = 2e-9 * outputs[0].numel() * module.in_channels * taps
    return gflop, 1, 0.08 if module.groups == module.in_channels > 1 else 0.6


def _linear(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Count:
    assert isinstance(module, nn.Linear)
    return 2e-9 * outputs[0].numel() * module.in_features, 1, 0.6


def _recurrent(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Count:
    """Every weight matrix meets every time step of every sample; a fused library needs few kernels a layer."""
    assert isinstance(module, nn.RNNBase)
    features = module.proj_size or module.hidden_size
    steps = outputs[0].numel() // (features * (2 if module.bidirectional else 1))
    weights = sum(parameter.numel() for name, parameter in module.named_parameters() if "weight" in name)
    return 2e-9 * steps * weights, 8 * module.num_layers, 0.3


def _attention(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Count:
    """Four projections, the scores and the weighted sum."""
    assert isinstance(module, nn.MultiheadAttention)
    query, key = inputs[0], inputs[min(1, len(inputs) - 1)]
    width = module.embed_dim
    key_length = key.shape[0 if key.dim() == 2 else int(module.batch_first)]
    projections = 2 * (query.numel() + key.numel()) * width
    return 2e-9 * (projections + 2 * query.numel() * key_length), 8, 0.5


def _elementwise(module: nn.Module, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> _Count:
    return 5e-9 * sum(tensor.numel() for tensor in outputs), 1, 0.1


_COUNTERS: tuple[tuple[type[nn.Module], Callable[[nn.Module, Sequence[Tensor], Sequence[Tensor]], _Count]], ...] = (
    (nn.modules.conv._ConvNd, _convolution),
    (nn.Linear, _linear),
    (nn.RNNBase, _recurrent),
    (nn.MultiheadAttention, _attention),
    (nn.Module, _elementwise),
)


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dictionaries, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _megabytes(tensor: Tensor) -> float:
    return tensor.numel() * tensor.element_size() / 1e6


def _chunks(calls: Sequence[_Call]) -> list[Sequence[_Call]]:
    size = -(-len(calls) // _MOST_GROUPS)
    return [calls[start : start + size] for start in range(0, len(calls), size)]


def _merged(calls: Sequence[_Call]) -> KernelGroup:
    """Neighbouring calls as one group; its efficiency is the one with which it computes for as long as they did."""
    groups = [call.group for call in calls]
    gflop = sum(group.gflop for group in groups)
    at_peak = sum(group.gflop / group.efficiency for group in groups)
    return KernelGroup(
        name=" to ".join(dict.fromkeys([groups[0].name, groups[-1].name])),
        gflop=gflop,
        dram_mb=sum(group.dram_mb for group in groups),
        launches=sum(group.launches for group in groups),
        efficiency=gflop / at_peak if at_peak else 1.0,
        host_mcycles=sum(group.host_mcycles for group in groups),
    )
