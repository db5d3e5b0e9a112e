"""What a callback costs per minibatch: PowerTrainCallback once locked, PowerMonitor, and Lightning's own monitors; and
what tuning costs a whole job.

    python benchmarks/overhead.py [--only hooks|steps|jobs] [--minutes 10]

Hooks: every callback sits in the same Trainer. Its two minibatch hooks are timed in place, with the cost of timing
(that of a callback that does nothing) taken off. The mean counts, since monitors do their work only every 50th.

Steps: the same for an optimizer step under `powertrain run`, less what the step takes without it.

Jobs: CPU seconds of everything that tuning does, on this computer: the computing in which training waits, the hook of
each minibatch, and the threads that sample power, load and health. The job itself, a SIMULATED one, is on a virtual
clock and costs nothing. Lost is the share of throughput where all of that happens on the one core that trains: a core
of this computer; one of a Jetson, three times slower; and that at a third of its clock. With more cores sampling costs
less.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import DeviceStatsMonitor, ThroughputMonitor
from pytorch_lightning.demos.boring_classes import BoringModel
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from lightning_powertrain import Phase, PowerMonitor, PowerTrainCallback, SimulatedDevice, Tuner
from lightning_powertrain.devices import ComputingCost, core_speed
from lightning_powertrain.running import Program, RunOptions
from lightning_powertrain.running.script_tuning import ScriptTuning

CORES = {"this computer": 1.0, "a Jetson's core": 3.0, "at a third": 9.0}
POWER_FILES, LOAD_FILES, HEALTH_FILES = 6, 2, 24
BLOCKS, MINIBATCHES_PER_BLOCK = 10, 400


class Second(PowerTrainCallback):
    """A Trainer distinguishes two callbacks with a state by their class."""


class LikeARealBoard(SimulatedDevice):
    """A real board has nothing to do when a minibatch ends; this one stops its clock once ``still`` is set."""

    still = False

    def minibatch_ended(self) -> None:
        if not self.still:
            super().minibatch_ended()


class Stopwatch(pl.Callback):
    """Times the minibatch hooks of other callbacks, from when ``is_ready`` on."""

    def __init__(self, watched: dict[str, pl.Callback], is_ready: Callable[[], bool]) -> None:
        self.seconds = {name: [0.0] * BLOCKS for name in watched}
        self.minibatches = 0
        self._watched = watched
        self._is_ready = is_ready
        for name, callback in watched.items():
            for hook in ("on_train_batch_start", "on_train_batch_end"):
                setattr(callback, hook, self._timed(name, getattr(callback, hook)))

    def _timed(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        def run(*details: Any, **more: Any) -> None:
            start = time.perf_counter()
            hook(*details, **more)
            spent = time.perf_counter() - start
            if 0 < self.minibatches <= BLOCKS * MINIBATCHES_PER_BLOCK:
                self.seconds[name][(self.minibatches - 1) // MINIBATCHES_PER_BLOCK] += spent

        return run

    def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
        if self._is_ready():
            self.minibatches += 1
        trainer.should_stop = self.minibatches > BLOCKS * MINIBATCHES_PER_BLOCK

    def microseconds(self, name: str) -> list[float]:
        """Mean per minibatch in each block, less what timing itself costs."""
        pairs = zip(self.seconds[name], self.seconds["nothing"])
        return [(spent - idle) / MINIBATCHES_PER_BLOCK * 1e6 for spent, idle in pairs]


class Counted(SimulatedDevice):
    """Adds up the CPU seconds in which training waits."""

    cpu_s = 0.0
    minibatches = 0

    def wait(self, seconds: float) -> None:
        self.cpu_s += seconds * core_speed(self.modes, self.current_mode())
        super().wait(seconds)

    def minibatch_ended(self) -> None:
        self.minibatches += 1
        super().minibatch_ended()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["hooks", "steps", "jobs"], help="default: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training in the locked mode")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    if arguments.only in (None, "hooks"):
        hooks()
    if arguments.only in (None, "steps"):
        steps()
    if arguments.only in (None, "jobs"):
        jobs(60 * arguments.minutes)


def jobs(locked_s: float) -> None:
    """A whole job that profiles, and then continues in the locked mode."""
    torch.set_num_threads(1)
    power_s, health_s = seconds_per_sample(POWER_FILES), seconds_per_sample(HEALTH_FILES)
    load_s = seconds_per_sample(LOAD_FILES)
    titles = "".join(f"{name:>17}" for name in CORES)
    print(f"\nSIMULATED job of ResNet-18 at 30 W, max_modes=50; one sample: {1e6 * power_s:.0f} us power, ", end="")
    print(f"{1e6 * load_s:.0f} us load, {1e6 * health_s:.0f} us health")
    print(f"{'CPU ms per second of training':<32}{'waiting':>9}{'hooks':>8}{'sampling':>10}  lost:{titles}")
    device = Counted("orin-agx-64gb", "resnet18", computing=ComputingCost(1.0))
    tuner = Tuner("30 W", device=device, strict=True, verbose=False).start(prefetched=device.workload.prefetched)
    hook_s = seconds_per_hook()
    parts = {"profiling": (lambda: tuner.phase is not Phase.LOCKED, 10 * (power_s + load_s) + health_s)}
    parts["locked, watched"] = (lambda: device.clock.now() < end_s, power_s + health_s)
    for name, (goes_on, sampling) in parts.items():
        start_s, computed_s, done = device.clock.now(), device.cpu_s, device.minibatches
        end_s = start_s + locked_s
        while goes_on():
            tuner.minibatch_ended()
        seconds = device.clock.now() - start_s
        waiting, hooking = (device.cpu_s - computed_s) / seconds, hook_s * (device.minibatches - done) / seconds
        ours = waiting + hooking + sampling
        lost = "".join(f"{100 * factor * ours / (1 + factor * ours):15.2f} %" for factor in CORES.values())
        title = f"{name}, {seconds:.0f} s"
        print(f"{title:<32}{1e3 * waiting:9.2f}{1e3 * hooking:8.2f}{1e3 * sampling:10.2f}       {lost}")
    tuner.stop()


def seconds_per_sample(files: int) -> float:
    """CPU seconds that it takes to read so many small files: sysfs costs about as much."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, str(number)) for number in range(files)]
        for path in paths:
            path.write_text("12345\n")
        start_s = time.thread_time()
        for _ in range(200):
            for path in paths:
                int(path.read_text())
        return (time.thread_time() - start_s) / 200


def seconds_per_hook() -> float:
    """CPU seconds of a minibatch that a locked tuner has nothing to do about."""
    board = LikeARealBoard("orin-agx-64gb", "resnet18", computing=ComputingCost(0.0))
    tuner = Tuner("30 W", device=board, max_modes=10, strict=True, verbose=False).start()
    while tuner.phase is not Phase.LOCKED:
        tuner.minibatch_ended()
    board.still = True
    start_s = time.thread_time()
    for _ in range(20_000):
        tuner.minibatch_ended()
    return (time.thread_time() - start_s) / 20_000


def steps() -> None:
    """Microseconds that `powertrain run` adds to an optimizer step in the locked mode, as on a real board."""
    board = LikeARealBoard("orin-agx-64gb", "resnet18", computing=ComputingCost(0.0))
    tuning = ScriptTuning(RunOptions(), Program("train.py"))
    tuning._warm_start = lambda *given: None
    tuning._new_tuner = lambda store: Tuner("30 W", device=board, max_modes=10, strict=True, verbose=False)
    layer = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.0)
    spent = {}
    tuning.start()
    while tuning._tuner is None or tuning._tuner.phase is not Phase.LOCKED:
        optimizer.step()
    board.still = True
    for name in ("tuned", "untuned"):
        blocks = []
        for _ in range(BLOCKS):
            start_s = time.thread_time()
            for _ in range(1000):
                optimizer.step()
            blocks.append((time.thread_time() - start_s) * 1e3)
        spent[name] = statistics.median(blocks)
        tuning.stop(is_complete=True)
    print(f"powertrain run, locked, as on a real board: {spent['tuned'] - spent['untuned']:.2f} us a step")


def hooks() -> None:
    """Microseconds per minibatch of several callbacks."""
    board = LikeARealBoard("orin-agx-64gb", "resnet18")
    real = PowerTrainCallback("30 W", device=board, max_modes=10, cache=False, verbose=False)
    simulated = Second("30 W", device="simulated:orin-agx-64gb:resnet18", max_modes=10, cache=False, verbose=False)
    watched = {
        "nothing": pl.Callback(),
        "PowerTrainCallback, locked, as on a real board": real,
        "PowerTrainCallback, locked, simulated board": simulated,
        "PowerMonitor, as on a real board": PowerMonitor(board, verbose=False),
        "ThroughputMonitor": ThroughputMonitor(batch_size_fn=len),
        "DeviceStatsMonitor": DeviceStatsMonitor(cpu_stats=True),
    }

    def is_ready() -> bool:
        board.still = all(each.selection is not None and each.selection.measured for each in (real, simulated))
        return board.still

    stopwatch = Stopwatch(watched, is_ready)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_epochs=1000,
            accelerator="cpu",
            logger=CSVLogger(folder),
            callbacks=[*watched.values(), stopwatch],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        trainer.fit(BoringModel(), DataLoader(torch.randn(4 * 5000, 32), batch_size=4))
    throughput = statistics.median(stopwatch.microseconds("ThroughputMonitor"))
    print(f"{'microseconds per minibatch (mean of 400; median of 10, least, most)':<70}{'of ThroughputMonitor':>22}")
    for name in list(watched)[1:]:
        blocks = stopwatch.microseconds(name)
        middle = statistics.median(blocks)
        figures = f"{middle:8.2f}  {min(blocks):8.2f}  {max(blocks):8.2f}"
        print(f"{name:<48}{figures}{middle / throughput:16.3f}")


if __name__ == "__main__":
    main()
