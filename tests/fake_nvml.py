"""NVML for machines without an NVIDIA GPU: the module ``pynvml``, as far as it is used here.

That names, arguments and numbers are those of the real module is tested in ``test_nvml_power.py``.
"""

# ruff: noqa: N802, N815

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NOT_FOUND = 6
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_FUNCTION_NOT_FOUND = 13
NVML_ERROR_GPU_IS_LOST = 15
_MESSAGES = {9: "Driver Not Loaded", 6: "Not Found", 3: "Not Supported", 13: "Function Not Found", 15: "GPU is lost"}


class FakeNvmlError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(_MESSAGES[value])
        self.value = value


class FakeNvml:
    """Stands in ``sys.modules["pynvml"]``. Tests set what each GPU draws, has counted, and why it is slow.

    Args:
        gpus: UUIDs of the GPUs of this machine.
    """

    NVMLError = FakeNvmlError
    NVML_ERROR_NOT_SUPPORTED = NVML_ERROR_NOT_SUPPORTED
    NVML_ERROR_FUNCTION_NOT_FOUND = NVML_ERROR_FUNCTION_NOT_FOUND
    nvmlClocksThrottleReasonSwPowerCap = 0x4
    nvmlClocksThrottleReasonHwSlowdown = 0x8
    nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80

    def __init__(self, gpus: Sequence[str]) -> None:
        self._milliwatts = dict.fromkeys(gpus, 0)
        self._millijoules: dict[str, int] = {}
        self._reasons = dict.fromkeys(gpus, 0)
        self._percent: dict[str, int] = {}
        self._users = 0
        self._failure = 0

    # What tests do.

    def draws(self, **milliwatts: int) -> None:
        self._milliwatts.update(_as_uuids(milliwatts))

    def has_counted(self, **millijoules: int) -> None:
        """GPUs that never counted do not support it."""
        self._millijoules.update(_as_uuids(millijoules))

    def is_slow_because(self, **reasons: int) -> None:
        self._reasons.update(_as_uuids(reasons))

    def is_busy(self, **percent: int) -> None:
        """GPUs of which nothing is said do not support it."""
        self._percent.update(_as_uuids(percent))

    def fails(self, error: int) -> None:
        """From now on every call does; 0 for none."""
        self._failure = error

    def open_users(self) -> int:
        return self._users

    # What pynvml does.

    def nvmlInit(self) -> None:
        self._check()
        self._users += 1

    def nvmlShutdown(self) -> None:
        self._check()
        self._users -= 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self._check()
        if uuid not in self._milliwatts:
            raise FakeNvmlError(NVML_ERROR_NOT_FOUND)
        return uuid

    def nvmlDeviceGetCount(self) -> int:
        self._check()
        return len(self._milliwatts)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self._check()
        return list(self._milliwatts)[index]

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        self._check()
        if handle not in self._percent:
            raise FakeNvmlError(NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=self._percent[handle])

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        self._check()
        return self._milliwatts[handle]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        self._check()
        if handle not in self._millijoules:
            raise FakeNvmlError(NVML_ERROR_NOT_SUPPORTED)
        return self._millijoules[handle]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:
        self._check()
        return self._reasons[handle]

    def _check(self) -> None:
        if self._failure:
            raise FakeNvmlError(self._failure)


def _as_uuids(values: dict[str, int]) -> dict[str, int]:
    return {name.replace("_", "-"): value for name, value in values.items()}
