"""Power of NVIDIA GPUs, through NVIDIA's management library (NVML). Nothing is ever set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lightning_powertrain.devices.power_source import Health, PowerReading, PowerSource
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError


class NvmlPower(PowerSource):
    """Some NVIDIA GPUs, whose power adds up; that of the computer around them is not in it.

    Names and units are those of the NVML API reference: power in mW (on Ampere and newer averaged over a second),
    energy in mJ since the driver was loaded (Volta and newer).

    Args:
        gpus: UUIDs of the GPUs, as NVML writes them: ``GPU-ffc79498-...``.

    Raises:
        DeviceNotFoundError: If the package ``nvidia-ml-py``, the driver or one of the GPUs is not there.
    """

    def __init__(self, gpus: Sequence[str]) -> None:
        try:
            self._nvml: Any = import_module("pynvml")
        except ImportError as error:
            raise DeviceNotFoundError(
                "reading the power of NVIDIA GPUs needs nvidia-ml-py: `pip install 'lightning-powertrain[nvml]'`"
            ) from error
        self._is_open = False
        try:
            self._nvml.nvmlInit()
            self._is_open = True
            self._handles = {uuid: self._nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in gpus}
        except self._nvml.NVMLError as error:
            self.close()
            raise DeviceNotFoundError(f"NVML does not find {', '.join(gpus)}: {error}") from error

    def health(self) -> Health | None:
        """Whether heat or current holds a GPU back now; a power limit that somebody set does not count."""
        nvml = self._nvml
        causes = (
            nvml.nvmlClocksThrottleReasonSwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwSlowdown
            | nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
        )
        reasons = self._from_each(nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        if reasons is None:
            return None
        return Health(("gpu-slowdown",) if any(reason & causes for reason in reasons) else ())

    def read_power(self) -> PowerReading:
        """Power now, in all and of each GPU.

        Raises:
            DeviceError: If the power of a GPU cannot be read.
        """
        milliwatts = self._from_each(self._nvml.nvmlDeviceGetPowerUsage)
        if milliwatts is None:
            raise DeviceError(f"NVML reports no power for one of the GPUs {', '.join(self._handles)}")
        watts = [each / 1e3 for each in milliwatts]
        return PowerReading(sum(watts), dict(zip(self._handles, watts)))

    def read_energy(self) -> float | None:
        """Joules since the driver was loaded, of all GPUs together; None if one of them does not count."""
        millijoules = self._from_each(self._nvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else sum(millijoules) / 1e3

    def close(self) -> None:
        """Close NVML. It counts its users, so others in this process keep theirs."""
        if self._is_open:
            self._is_open = False
            with self._as_device_error():
                self._nvml.nvmlShutdown()

    def _from_each(self, ask: Callable[[Any], int]) -> list[int] | None:
        """What each GPU answers; None if a GPU or the driver does not support the question."""
        with self._as_device_error():
            try:
                return [ask(handle) for handle in self._handles.values()]
            except self._nvml.NVMLError as error:
                if error.value not in (self._nvml.NVML_ERROR_NOT_SUPPORTED, self._nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
                    raise
        return None

    @contextmanager
    def _as_device_error(self) -> Iterator[None]:
        try:
            yield
        except self._nvml.NVMLError as error:
            raise DeviceError(f"NVML fails: {error}") from error
