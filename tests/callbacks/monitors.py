"""What tests of PowerMonitor share."""

from __future__ import annotations

from typing import Any

from fakes import FakeDevice, true_power_w, true_time_ms
from jobs import RESNET
from pytorch_lightning.loggers import Logger

from lightning_powertrain import PowerMonitor


class Notebook(Logger):
    """A logger that keeps what it receives."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    @property
    def name(self) -> str:
        return "notebook"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *params: Any, **more: Any) -> None:
        pass

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        if any(name.startswith("power/") for name in metrics):
            self.rows.append((step, dict(metrics)))


def monitor(device: Any = RESNET) -> PowerMonitor:
    return PowerMonitor(device, verbose=False)


def costs(device: FakeDevice) -> tuple[float, float]:
    """Seconds and joules of one minibatch on the tiny board, exactly."""
    row = device.modes.rows([device.mode])
    seconds = float(true_time_ms(row)[0]) / 1e3
    return seconds, seconds * float(true_power_w(row)[0])
