"""What a profile of a job depends on, as canonical text: the key under which the cache keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lightning_powertrain.jobs.job import BaseJob
from lightning_powertrain.profiling import canonical


def workload_fingerprint(job: BaseJob, batch: object) -> str:
    """Fingerprint of a job whose first minibatch is known.

    It holds names, classes, shapes, types and settings, and not one value of a weight or of the data. What two jobs
    with equal fingerprints may still differ in (what the steps do besides calling modules, how long the loader takes
    for a sample) is for verification to find.
    """
    workers, prefetched = job.loader_workers()
    return canonical(
        {
            **describe_model(job.model),
            "batch": describe_batch(batch),
            **job.settings(),
            "loader": {"num_workers": workers, "prefetch_factor": prefetched},
            "world_size": job.world_size,
            "torch": {
                "version": str(torch.__version__),
                "float32_matmul_precision": _matmul_precision(),
                "cudnn_benchmark": torch.backends.cudnn.benchmark,
                "deterministic": torch.are_deterministic_algorithms_enabled(),
            },
        }
    )


def describe_model(model: nn.Module) -> dict[str, object]:
    """Modules and parameters of a model, by name.

    >>> described = describe_model(nn.Linear(2, 1, bias=False))
    >>> described["modules"], described["parameters"]
    ({'': 'Linear(in_features=2, out_features=1, bias=False)'}, {'weight': 'torch.float32[1, 2]'})
    """
    modules = dict(model.named_modules())
    compiled = [name for name, module in modules.items() if getattr(module, "_compiled_call_impl", None) is not None]
    return {
        "modules": {name: _module(module) for name, module in modules.items()},
        "parameters": {name: _parameter(parameter) for name, parameter in model.named_parameters()},
        # The one is how Lightning marks a model that was compiled as a whole, the other how torch marks its parts.
        "compiled": ["*"] if getattr(model, "_compiler_ctx", None) is not None else compiled,
    }


def describe_batch(batch: object) -> object:
    """Shapes and types in a minibatch, nested as it is; of what holds no tensors only the class.

    >>> describe_batch({"image": torch.zeros(4, 3), "label": [1, 2, 3, 4]})
    {"'image'": 'torch.float32[4, 3]', "'label'": [[4, 'int']]}
    """
    if isinstance(batch, (Tensor, np.ndarray)):
        return _tensor(batch)
    if isinstance(batch, Mapping):
        return {_name(key): describe_batch(value) for key, value in batch.items()}
    if is_dataclass(batch) and not isinstance(batch, type):
        return {field.name: describe_batch(getattr(batch, field.name)) for field in fields(batch)}
    if isinstance(batch, (list, tuple)):
        runs = [(each, len(list(equal))) for each, equal in groupby(map(describe_batch, batch))]
        return [each if count == 1 else [count, each] for each, count in runs]
    return type(batch).__qualname__


def _matmul_precision() -> str:
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # torch 2.9 and later, once somebody has used the setting that replaces this one
        return str(torch.backends.cuda.matmul.fp32_precision)


def _module(module: nn.Module) -> str:
    """Class and, of torch's own, settings: others may print addresses or values."""
    kind = type(module)
    settings = module.extra_repr() if kind.__module__.startswith("torch.nn.") else ""
    return f"{kind.__qualname__}({settings})"


def _parameter(parameter: nn.Parameter) -> str:
    if is_lazy(parameter):
        return "lazy"
    return _tensor(parameter) + ("" if parameter.requires_grad else " frozen")


def _tensor(tensor: Tensor | npt.NDArray[Any]) -> str:
    return f"{tensor.dtype}{list(tensor.shape)}"


def _name(key: object) -> str:
    """A key of a dictionary; of one that may print its address only the class."""
    return repr(key) if isinstance(key, (str, int, float, bytes, type(None))) else type(key).__qualname__
