"""Energy over time: what the hardware counts, or else the integral of sampled power."""

from __future__ import annotations

import math
import threading

from lightning_powertrain.devices.clock import Cancel
from lightning_powertrain.devices.power_source import PowerSource
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed


class EnergyMeter:
    """Energy that a source has spent since :meth:`start`.

    A source that counts its energy is asked when somebody wants to know. Any other is sampled all the while, and its
    energy is the integral by the trapezoidal rule; a sample that fails is bridged by its neighbours.

    Args:
        source: What to meter.
        period_s: Seconds between samples. Sensors average over about as long (0.43 s in an INA3221 at NVIDIA's
            settings), so more would cost time and add no information.
    """

    def __init__(self, source: PowerSource, period_s: float = 0.5) -> None:
        self._source = source
        self._period_s = period_s
        self._lock = threading.Lock()
        self._cancel: Cancel | None = None
        self._has_failed = False
        self._counted_before_j: float | None = None
        self._start_s = self._at_s = self._power_w = self._energy_j = 0.0

    def start(self) -> None:
        """Begin at zero.

        Raises:
            DeviceError: If the power cannot be read.
        """
        self.stop()
        self._start_s = self._at_s = self._source.clock.now()
        self._energy_j = 0.0
        self._counted_before_j = self._source.read_energy()
        if self._counted_before_j is None:
            self._power_w = self._read_w()
            self._cancel = self._source.clock.every(self._period_s, self._tick)

    def read(self) -> tuple[float, float]:
        """Seconds and joules since :meth:`start`, up to now.

        Raises:
            DeviceError: If the power cannot be read.
        """
        if self._counted_before_j is None:
            self._sample()
        elif (counted_j := self._source.read_energy()) is not None:
            self._at_s, self._energy_j = self._source.clock.now(), counted_j - self._counted_before_j
        return self._at_s - self._start_s, self._energy_j

    def stop(self) -> None:
        """Stop sampling and wait until the sampling thread has ended."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _tick(self) -> None:
        try:
            self._sample()
        except (DeviceError, OSError) as error:
            if not self._has_failed:  # Only the first of many in a row.
                log_swallowed("reading power", error)
            self._has_failed = True
        else:
            self._has_failed = False

    def _sample(self) -> None:
        with self._lock:
            now_s = self._source.clock.now()
            if now_s == self._at_s:
                return
            power_w = self._read_w()
            self._energy_j += (self._power_w + power_w) / 2 * (now_s - self._at_s)
            self._at_s, self._power_w = now_s, power_w

    def _read_w(self) -> float:
        power_w = self._source.read_power().total_w
        if not 0 <= power_w < math.inf:
            raise DeviceError(f"the power sensor shows {power_w:g} W, which nothing draws")
        return power_w
