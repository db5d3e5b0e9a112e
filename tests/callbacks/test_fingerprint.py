"""The fingerprint of a job: equal for equal jobs in any process, different where the cost of a minibatch may differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jobs
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from jobs import LIGHTNING_WARNINGS, Model, data, trainer
from pytorch_lightning.utilities.compile import from_compiled
from torch import Tensor, nn

from lightning_powertrain.callbacks.lightning_job import LightningJob
from lightning_powertrain.jobs.fingerprint import describe_batch, describe_model, workload_fingerprint
from lightning_powertrain.profiling import canonical, named_fingerprint

pytestmark = LIGHTNING_WARNINGS


class Fingerprint(pl.Callback):
    """Takes the fingerprint when the first minibatch ends."""

    text = ""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.text = self.text or workload_fingerprint(LightningJob(trainer, pl_module), batch)
        trainer.should_stop = True


def fingerprint(model: pl.LightningModule | None = None, size: int = 4, **options: Any) -> str:
    callback = Fingerprint()
    trainer(callback, **options).fit(model or Model(), data(8, size))
    return callback.text


@pytest.fixture(scope="module")
def usual() -> str:
    return fingerprint()


def test_equal_jobs_have_equal_fingerprints(usual: str) -> None:
    torch.manual_seed(99)  # Other weights.
    assert fingerprint(max_epochs=3) == usual


def test_other_processes_have_equal_fingerprints(usual: str) -> None:
    code = "from test_fingerprint import fingerprint; print(fingerprint(), end='')"
    folder = Path(jobs.__file__).parent
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": os.pathsep.join(map(str, [folder, folder.parent])),
    }
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout == usual


class Same(Model):
    pass


class Wider(Model):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 17), nn.BatchNorm1d(17), nn.Dropout(0.3), nn.ReLU(), nn.Linear(17, 1))


class Frozen(Model):
    def __init__(self) -> None:
        super().__init__()
        self.network[0].requires_grad_(False)


class OtherActivation(Model):
    def __init__(self) -> None:
        super().__init__()
        self.network[3] = nn.GELU()


class OtherOptimizer(Model):
    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


def renamed(model: Model) -> Model:
    """Differs from :class:`Model` in nothing but what the model holds."""
    type(model).__qualname__ = "Model"
    return model


def test_a_model_is_what_it_holds(usual: str) -> None:
    assert fingerprint(renamed(Same())) == usual != fingerprint(Wider())


@pytest.mark.parametrize("model", [Wider, Frozen, OtherActivation, OtherOptimizer])
def test_other_models_have_other_fingerprints(usual: str, model: Callable[[], Model]) -> None:
    assert fingerprint(renamed(model())) != usual


@pytest.mark.parametrize(
    "options",
    [
        {"size": 8},
        {"precision": "bf16-mixed"},
        {"precision": "64-true"},
        {"accumulate_grad_batches": 2},
        {"gradient_clip_val": 1.0},
        {"deterministic": True},
    ],
)
def test_other_settings_have_other_fingerprints(usual: str, options: dict[str, Any]) -> None:
    try:
        assert fingerprint(**options) != usual
    finally:
        torch.use_deterministic_algorithms(False)


def test_how_gradients_are_clipped_counts() -> None:
    by_norm, by_value = (fingerprint(gradient_clip_val=1.0, gradient_clip_algorithm=how) for how in ("norm", "value"))
    assert by_norm != by_value


def test_precision_of_matrix_products_counts(usual: str) -> None:
    """Whichever of its settings was used: with the newer one, the older can no longer be asked."""
    try:
        torch.set_float32_matmul_precision("high")
        assert fingerprint() != usual
    finally:
        torch.set_float32_matmul_precision("highest")
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("this torch has one setting only")
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "tf32"
        assert json.loads(fingerprint())["torch"]["float32_matmul_precision"] == "tf32"
    finally:
        matmul.fp32_precision = before
    assert fingerprint() == usual


def test_it_shows_why_two_jobs_differ(usual: str) -> None:
    other = json.loads(fingerprint(accumulate_grad_batches=4))
    before = json.loads(usual)
    assert {name for name in before if before[name] != other[name]} == {"accumulate_grad_batches"}
    assert before["batch"] == ["torch.float32[4, 8]", "torch.float32[4, 1]"]
    assert before["parameters"]["network.0.weight"] == "torch.float32[16, 8]"
    assert before["modules"]["network.2"] == "Dropout(p=0.3, inplace=False)"
    assert before["loader"] == {"num_workers": 0, "prefetch_factor": 0}
    assert before["precision"] == ["32-true", "Precision"]
    assert before["optimizers"] == ["SGD"]


def test_it_changes_nothing() -> None:
    """Neither the random state nor a weight."""
    model, state = Model(), torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    describe_model(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


# Models.


def test_settings_without_parameters_count() -> None:
    def convolution(stride: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3, stride=stride), nn.MaxPool2d(2))

    assert describe_model(convolution(1)) == describe_model(convolution(1))
    assert describe_model(convolution(1)) != describe_model(convolution(2))


def test_what_others_print_is_left_out() -> None:
    class Odd(nn.Module):
        def extra_repr(self) -> str:
            return f"at {id(self)}"

    assert describe_model(Odd()) == describe_model(Odd())


@pytest.mark.filterwarnings("ignore:Lazy modules")  # Some versions of torch call them new.
def test_compiled_and_lazy_models_differ() -> None:
    plain, part = nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2))
    part[0].compile(backend="eager")  # Only marks it: nothing is compiled before it runs.
    assert describe_model(part)["compiled"] == ["0"]
    assert describe_model(plain)["compiled"] == []
    assert describe_model(torch.compile(plain, backend="eager")) != describe_model(plain)
    whole = from_compiled(torch.compile(Model(), backend="eager"))
    assert describe_model(whole)["compiled"] == ["*"]
    assert describe_model(nn.LazyLinear(2))["parameters"] == {"weight": "lazy", "bias": "lazy"}


# Minibatches.


@dataclass
class Sample:
    image: Tensor
    label: int


class Pair(NamedTuple):
    first: Tensor
    second: Any


def test_batches_are_described_by_shapes_and_types() -> None:
    image = torch.zeros(4, 3, 8, 8)
    assert describe_batch([image, image]) == [[2, "torch.float32[4, 3, 8, 8]"]]
    assert describe_batch(Pair(image, None)) == ["torch.float32[4, 3, 8, 8]", "NoneType"]
    assert describe_batch(Sample(image.bool(), 3)) == {"image": "torch.bool[4, 3, 8, 8]", "label": "int"}
    assert describe_batch(np.zeros((4, 2), np.int16)) == "int16[4, 2]"
    assert describe_batch({"ids": [["a", "b"], []], 1: object()}) == {"'ids'": [[[2, "str"]], []], "1": "object"}
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(2, 5, 3), [5, 2], batch_first=True)
    assert describe_batch(packed) == ["torch.float32[7, 3]", "torch.int64[5]", [2, "NoneType"]]


DTYPES = (torch.float32, torch.float16, torch.int64, torch.bool)
tensors = st.tuples(st.lists(st.integers(0, 3), max_size=4), st.sampled_from(DTYPES))
"""What a tensor is made of."""
keys = st.text(max_size=3) | st.integers(0, 2)
structures = st.recursive(
    tensors | st.sampled_from(["text", 1, None]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def built(structure: Any, backwards: bool = False) -> Any:
    """A minibatch of that structure, with dictionaries in any order."""
    if isinstance(structure, tuple):
        shape, dtype = structure
        return torch.ones(shape, dtype=dtype) if backwards else torch.zeros(shape, dtype=dtype)
    if isinstance(structure, dict):
        names = list(reversed(structure)) if backwards else list(structure)
        return {name: built(structure[name], backwards) for name in names}
    return [built(each, backwards) for each in structure] if isinstance(structure, list) else structure


def text(structure: Any, backwards: bool = False) -> str:
    return canonical({"batch": describe_batch(built(structure, backwards))})


@given(structures)
def test_equal_structures_give_equal_text(structure: Any) -> None:
    """Whatever the values, and the order of dictionaries."""
    assert text(structure) == text(structure, backwards=True)


@given(structures, structures)
def test_different_structures_give_different_text(one: Any, other: Any) -> None:
    assert (text(one) == text(other)) == (one == other)


@given(structures, st.data())
def test_any_other_shape_gives_different_text(structure: Any, data: st.DataObject) -> None:
    """One tensor among others, which differs from another in a single dimension."""
    shape = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    other = list(shape)
    other[data.draw(st.integers(0, len(shape) - 1))] += 1
    assert text([structure, (shape, torch.float32)]) != text([structure, (other, torch.float32)])


def test_names_are_no_jobs(usual: str) -> None:
    assert named_fingerprint("a") == named_fingerprint("a")
    assert len({named_fingerprint("a"), named_fingerprint("b"), named_fingerprint(usual), usual}) == 4
