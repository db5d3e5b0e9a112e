"""How busy the GPU of this computer is, through NVIDIA's management library (NVML)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lightning_powertrain.logs import log_swallowed, swallowed


class NvmlLoad:
    """The load of the one NVIDIA GPU of this computer, for boards that show it in no file, such as Thor.

    It needs the package ``nvidia-ml-py``, which is optional. NVML is opened at the first reading.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._gpu: Any = None
        self._has_failed = False

    def read(self) -> float | None:
        """Share of the last second, or a part of it, in which the GPU ran kernels, from 0 to 1; None if not known."""
        if self._has_failed:
            return None
        try:
            if self._nvml is None:
                self._open()
            return float(self._nvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu) / 100
        except Exception as error:
            log_swallowed("reading the load of the GPU through NVML", error)
            self._has_failed = True
            self.close()
            return None

    def close(self) -> None:
        """Close NVML; idempotent. It counts its users, so others in this process keep theirs."""
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            with swallowed("closing NVML"):
                nvml.nvmlShutdown()

    def _open(self) -> None:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
        self._nvml = nvml
        gpus = nvml.nvmlDeviceGetCount()
        if gpus != 1:
            raise LookupError(f"one GPU was expected, and there are {gpus}")
        self._gpu = nvml.nvmlDeviceGetHandleByIndex(0)
