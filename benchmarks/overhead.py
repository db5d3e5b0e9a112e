"""What a callback costs per minibatch: PowerTrainCallback once locked, PowerMonitor, and Lightning's own monitors.

    python benchmarks/overhead.py

Every callback sits in the same Trainer. Its two minibatch hooks are timed in place, with the cost of timing (that of a
callback that does nothing) taken off. The mean counts, since monitors do their work only every 50th minibatch.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import DeviceStatsMonitor, ThroughputMonitor
from pytorch_lightning.demos.boring_classes import BoringModel
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from lightning_powertrain import PowerMonitor, PowerTrainCallback, SimulatedDevice

BLOCKS, MINIBATCHES_PER_BLOCK = 10, 400


class Second(PowerTrainCallback):
    """A Trainer tells two callbacks with a state apart by their class."""


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


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    board = LikeARealBoard("orin-agx-64gb", "resnet18")
    real = PowerTrainCallback("30 W", device=board, modes=10, cache=False, verbose=False)
    simulated = Second("30 W", device="simulated:orin-agx-64gb:resnet18", modes=10, cache=False, verbose=False)
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
