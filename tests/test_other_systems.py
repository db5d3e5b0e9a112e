"""On systems that lack what Linux has, everything can be imported, and a callback does what it does off a Jetson."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What Windows lacks, as far as this library could ask for it. torch and Lightning are loaded before: they know Windows.
CODE = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import numpy, rich.console, rich.live, torch, typer, pytorch_lightning as pl
for module in ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[module] = None
for name in ("register_at_fork", "geteuid", "getuid", "getegid", "setsid", "sched_getaffinity", "sched_setaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGALRM", "SIGPWR", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
import lightning_powertrain
for name in lightning_powertrain.__all__:
    getattr(lightning_powertrain, name)
import lightning_powertrain.cli, lightning_powertrain.devices, lightning_powertrain.reporting
from lightning_powertrain import PowerMonitor, PowerTrainCallback
from pytorch_lightning.demos.boring_classes import BoringModel
model = BoringModel()
callbacks = [PowerTrainCallback("30 W", cache=False), PowerMonitor()]
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=callbacks, **quiet).fit(model)
simulated = PowerTrainCallback("30 W", device="simulated:orin-agx-64gb", cache=False, verbose=False)
pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=[simulated], **quiet).fit(model)
print("trained", callbacks[0].status, simulated.status, sep="|")
"""


@pytest.mark.slow
def test_everything_works_without_what_is_of_linux_alone() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, off_board, simulated = done.stdout.splitlines()[-1].split("|")
    assert off_board.startswith("failed: Tuning did not begin: no Jetson found")
    assert simulated.startswith("closed: ")
