"""Power over time: samples of a device, kept until a window asks for them."""

from __future__ import annotations

import contextlib
from collections import deque

import numpy as np
import numpy.typing as npt

from lightning_powertrain.devices.clock import Cancel
from lightning_powertrain.devices.device import Device
from lightning_powertrain.errors import DeviceError

FloatArray = npt.NDArray[np.float64]


class PowerSampler:
    """Samples the total power of a device at a fixed rate of the device's own clock.

    A reading that fails is left out; a window without any is for whoever asks for it to complain about.

    Args:
        device: What to sample.
        period_s: Seconds between samples. The INA3221 averages over about 0.43 s at NVIDIA's settings, so
            sampling faster than 10 Hz only repeats its filter.
        keep_s: Seconds of samples to keep.
    """

    def __init__(self, device: Device, period_s: float = 0.1, keep_s: float = 3600.0) -> None:
        self._device = device
        self._period_s = period_s
        self._samples: deque[tuple[float, float]] = deque(maxlen=round(keep_s / period_s))
        self._cancel: Cancel | None = None

    def start(self) -> None:
        """Begin to sample; does nothing when already sampling."""
        if self._cancel is None:
            self._cancel = self._device.clock.every(self._period_s, self._sample)

    def stop(self) -> None:
        """Stop sampling, wait until the sampling thread has ended, and forget all samples."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._samples.clear()

    def _sample(self) -> None:
        with contextlib.suppress(DeviceError, OSError):
            watts = self._device.read_power().total_w
            self._samples.append((self._device.clock.now(), watts))

    def between(self, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
        """Times (s) and powers (W) of the samples in ``[start_s, end_s]``, each of shape ``(n,)``, oldest first."""
        inside = [sample for sample in self._samples.copy() if start_s <= sample[0] <= end_s]
        times, watts = np.asarray(inside, dtype=np.float64).reshape(-1, 2).T
        return times, watts
