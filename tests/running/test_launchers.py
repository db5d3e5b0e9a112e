"""Launchers that start several processes: the first one of a node tunes, and the weights stay the same bit for bit."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

DISTRIBUTED = """
import sys, torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
torch.manual_seed(3)
model = DistributedDataParallel(torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
torch.manual_seed(dist.get_rank())
for _ in range(200):
    optimizer.zero_grad()
    model(torch.randn(4, 8)).square().mean().backward()
    optimizer.step()
if dist.get_rank() == 0:
    torch.save(model.module.state_dict(), sys.argv[1])
dist.destroy_process_group()
"""
ACCELERATED = """
import sys, torch
from accelerate import Accelerator

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
torch.manual_seed(3)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters())
loader = torch.utils.data.DataLoader(torch.randn(400, 8), batch_size=4, shuffle=True)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 100)
model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
for epoch in range(8):
    for x in loader:
        with accelerator.accumulate(model):
            accelerator.backward(model(x).square().mean())
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
if accelerator.is_main_process:
    torch.save(accelerator.unwrap_model(model).state_dict(), sys.argv[1])
accelerator.end_training()
"""
OURS = ("-m", "lightning_powertrain.run", "--device", "simulated:orin-agx-64gb", "--max-modes=5", "--max-share=1")


def launched(folder: Path, launcher: tuple[str, ...], *words: str) -> str:
    """What a launcher prints."""
    command = [sys.executable, "-m", *launcher, *words]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=300, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch cannot train in several processes")
@pytest.mark.parametrize(
    ("launcher", "script"),
    [
        (("torch.distributed.run", "--standalone", "--nproc-per-node=2"), DISTRIBUTED),
        (
            ("accelerate.commands.launch", "--cpu", "--num_processes=2", "--main_process_port=0"),
            ACCELERATED,
        ),
    ],
)
def test_the_first_process_of_a_node_tunes(launcher: tuple[str, ...], script: str, tmp_path: Path) -> None:
    package = launcher[0].split(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    (tmp_path / "train.py").write_text(script, encoding="utf-8")
    assert "PowerTrain" not in launched(tmp_path, launcher, "train.py", "untuned.pt")
    said = launched(tmp_path, launcher, *OURS, "train.py", "tuned.pt")
    assert said.count("measuring the power mode that the job started in") == 1
    assert "mode 1 of 5" in said
    untuned, tuned = (torch.load(tmp_path / f"{each}.pt") for each in ("untuned", "tuned"))
    assert all(torch.equal(value, untuned[name]) for name, value in tuned.items())
