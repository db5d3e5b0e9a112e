"""Both Lightnings take the same class: ``pytorch_lightning`` and ``lightning``, with the other one installed or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Tuple

import pytest
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, RESNET, data, powertrain
from torch import Tensor, nn, optim

from lightning_powertrain import PowerMonitor, PowerTrainCallback

pytestmark = LIGHTNING_WARNINGS

PACKAGES = ["pytorch_lightning", "lightning.pytorch"]


class Remembering(PowerTrainCallback):
    """A callback with a state to put into checkpoints."""

    def __init__(self, **options: Any) -> None:
        super().__init__("13 W", max_modes=3, max_share=1.0, verbose=False, **options)
        self.remembered = 0

    def state_dict(self) -> dict[str, Any]:
        return {"remembered": 7}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.remembered = state_dict["remembered"]


@pytest.fixture(params=PACKAGES)
def lightning(request: pytest.FixtureRequest) -> ModuleType:
    pytest.importorskip(request.param.partition(".")[0])
    return import_module(request.param)


def job(lightning: ModuleType, callbacks: Any, **options: Any) -> Any:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(
        callbacks=callbacks, accelerator="cpu", max_epochs=1, **{"enable_checkpointing": False, **quiet, **options}
    )


def model(lightning: ModuleType) -> Any:
    class Linear(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Linear(8, 1)

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return nn.functional.mse_loss(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> optim.Optimizer:
            return optim.SGD(self.parameters(), lr=1e-2)

    return Linear()


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("stateful", [True, False])
def test_trainer_takes_it(lightning: ModuleType, tiny: FakeDevice, bare: bool, stateful: bool) -> None:
    callback = Remembering(device=tiny) if stateful else powertrain(tiny, budget="13 W", max_modes=3)
    job(lightning, callback if bare else [callback]).fit(model(lightning), data(700))
    assert callback.selection is not None
    assert callback.selection.measured is not None


@pytest.mark.parametrize("bare", [True, False])
def test_trainer_takes_the_monitor(lightning: ModuleType, bare: bool) -> None:
    monitor = PowerMonitor(RESNET, verbose=False)
    job(lightning, monitor if bare else [monitor]).fit(model(lightning), data(50))
    assert monitor.summary is not None
    assert monitor.summary.samples == 50 * 4
    assert monitor.summary.energy_j > 0


def test_state_goes_through_checkpoints(lightning: ModuleType, tiny: FakeDevice, tmp_path: Path) -> None:
    first, second = Remembering(device=tiny), Remembering(device=tiny)
    trainer = job(lightning, first, max_steps=5)
    trainer.fit(model(lightning), data(100))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    job(lightning, [second], max_steps=10).fit(model(lightning), data(100), ckpt_path=tmp_path / "last.ckpt")
    assert (first.remembered, second.remembered) == (0, 7)


def test_one_callback_serves_both_in_turn(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    for package in PACKAGES:
        pytest.importorskip(package.partition(".")[0])
        lightning = import_module(package)
        job(lightning, callback).fit(model(lightning), data(700))
    assert tiny.restored == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jsonargparse, at what Lightning calls
def test_cli_builds_it_from_yaml(lightning: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "seed_everything: 1\n"
        "trainer:\n"
        "  accelerator: cpu\n"
        "  logger: false\n"
        "  callbacks:\n"
        "    - class_path: lightning_powertrain.PowerTrainCallback\n"
        f"      init_args: {{budget: 15 W, device: '{RESNET}', max_modes: 7, options: {{seed: 3, tolerance: 0.05}}}}\n"
        "    - class_path: lightning_powertrain.PowerMonitor\n"
        f"      init_args: {{device: '{RESNET}', verbose: false}}\n",
        encoding="utf-8",
    )
    command_line = import_module(f"{lightning.__name__}.cli").LightningCLI
    boring = import_module(f"{lightning.__name__}.demos.boring_classes")
    monkeypatch.setattr(sys, "argv", ["train.py", "--config", str(config)])
    made = command_line(boring.BoringModel, boring.BoringDataModule, run=False)
    (callback,) = (each for each in made.trainer.callbacks if isinstance(each, PowerTrainCallback))
    assert callback._tuner._factory.config.max_modes == 7
    assert callback._tuner._factory.config.options.tolerance == 0.05
    assert str(callback._tuner._factory.config.budget) == "15 W"
    (monitor,) = (each for each in made.trainer.callbacks if isinstance(each, PowerMonitor))
    assert monitor._device == RESNET


# Runs each code that it reads in a process of its own, forked from one that has imported what is slow to import with
# Lightning, but neither Lightning nor this library.
FORKS = """
import json, os, sys, tempfile
import torch, torch._dynamo, torchmetrics
assert not {"lightning", "pytorch_lightning", "lightning_powertrain"} & set(sys.modules)
for line in sys.stdin:
    code, environ = json.loads(line)
    with tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(environ)
            os.dup2(errors.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            exec(code, {"__name__": "__main__"})
            sys.exit()
        status = os.waitpid(child, 0)[1]
        errors.seek(0)
        print(json.dumps([status, errors.read()]), flush=True)
"""

RunCode = Callable[..., Tuple[int, str]]


@pytest.fixture(scope="module")
def run_code() -> Iterator[RunCode]:
    """Runs code in a process that has not imported Lightning. Returns its status, 0 for success, and its output."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        requests, replies = forks.stdin, forks.stdout

        def run(code: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
            print(json.dumps([code, {**os.environ, **(environ or {})}]), file=requests, flush=True)
            status, printed = json.loads(replies.readline())
            return status, printed

        yield run


LOG_MESSAGES = """
import io, logging, sys, warnings
warnings.simplefilter("ignore")
{first}
import {package} as pl
{second}
text = io.StringIO()
logger = logging.getLogger("{package}")
logger.setLevel(logging.WARNING)
logger.addHandler(logging.StreamHandler(text))
from lightning_powertrain import PowerMonitor, PowerTrainCallback
tuning = PowerTrainCallback()
pl.Trainer(accelerator="cpu", logger=False, callbacks=[tuning, PowerMonitor()])
assert isinstance(tuning, pl.Callback)
assert "available" not in text.getvalue(), text.getvalue()
logger.setLevel(logging.INFO)
pl.Trainer(accelerator="cpu", logger=False, callbacks=[tuning, PowerMonitor()])
assert "available" in text.getvalue()
others = [name for name in sys.modules if name.partition(".")[0] == "{other}"]
assert not others, others
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "asks"),
    [
        ("", "", {"POWERTRAIN": "auto"}),
        ("", "from lightning_powertrain import PowerTrainCallback", {}),
        ("import lightning_powertrain.callbacks.powertrain", "", {}),
    ],
    ids=["environment", "import after", "import before"],
)
def test_log_messages_of_lightning_go_where_the_user_sends_them(
    run_code: RunCode, lightning: ModuleType, first: str, second: str, asks: dict[str, str]
) -> None:
    """Lightning sends its messages to the logger of the package that was imported last, so we import none."""
    (other,) = {"pytorch_lightning", "lightning"} - {lightning.__name__.partition(".")[0]}
    code = LOG_MESSAGES.format(package=lightning.__name__, other=other, first=first, second=second)
    status, printed = run_code(code, asks)
    assert status == 0, printed


@pytest.mark.parametrize("package", PACKAGES)
def test_works_with_one_of_them_alone(run_code: RunCode, package: str) -> None:
    """The other cannot be imported, as where it is not installed."""
    ours = package.partition(".")[0]
    pytest.importorskip(ours)
    (other,) = {"pytorch_lightning", "lightning"} - {ours}
    code = (
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        f"sys.modules[{other!r}] = None\n"
        f"from {package} import Callback, Trainer\n"
        "from lightning_powertrain import PowerTrainCallback\n"
        "callback = PowerTrainCallback()\n"
        "for given in (callback, [callback]):\n"
        "    assert callback in Trainer(callbacks=given, logger=False, accelerator='cpu').callbacks\n"
        f"assert not [name for name in sys.modules if name.startswith('{other}.')]\n"
    )
    status, printed = run_code(code)
    assert status == 0, printed


def test_none_of_them_is_a_clear_error(run_code: RunCode) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(lightning=None, pytorch_lightning=None)\n"
        "from lightning_powertrain import PowerTrainCallback\n"
    )
    status, printed = run_code(code)
    assert status != 0
    assert "ModuleNotFoundError" in printed
    assert "pytorch_lightning" in printed
