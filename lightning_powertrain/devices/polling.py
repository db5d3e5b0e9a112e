"""Polls the power and health of a device, and keeps the samples for measurement windows."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from itertools import takewhile
from typing import Generic, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

from lightning_powertrain.devices.activity import Load
from lightning_powertrain.devices.clock import Cancel
from lightning_powertrain.devices.device import BaseDevice
from lightning_powertrain.devices.power_source import Health, PowerReading
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")

_KEEP_S = 3600.0

# Outside of this a sensor shows no temperature (C) of a board that computes.
_COLDEST_C, _HOTTEST_C = -60.0, 150.0


class _Poller(Generic[T]):
    """Polls a device at a fixed rate of its own clock, and keeps the last hour; omits readings that fail.

    Args:
        device: The device to poll.
        period_s: Seconds between samples.
    """

    def __init__(self, device: BaseDevice, period_s: float) -> None:
        self._device = device
        self._period_s = period_s
        self._samples: deque[tuple[float, T]] = deque(maxlen=round(_KEEP_S / period_s))
        self._cancel: Cancel | None = None
        self._failure: Exception | None = None
        self.trouble = ""
        """Why the last reading was left out; empty if it was not."""

    def start(self) -> None:
        """Start polling; idempotent."""
        if self._cancel is None:
            self._failure, self.trouble = None, ""  # A failure in an earlier job says nothing about this one.
            self._cancel = self._device.clock.every(self._period_s, self.poll)

    def stop(self) -> None:
        """Stop polling, wait for the thread to end, and drop all samples."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._samples.clear()

    def poll(self) -> None:
        """Take one more sample."""
        try:
            reading = self._read()
        except (DeviceError, OSError) as error:
            if not self.trouble:  # Only the first of many in a row.
                log_swallowed("taking a sample", error)
            self.trouble = str(error)
            return
        except Exception as error:  # Raised where samples are read, since nobody catches it in this thread.
            log_swallowed("taking a sample", error)
            self._failure = error
            return
        self.trouble = ""
        self.add(self._device.clock.now(), reading)

    def add(self, at_s: float, reading: T) -> None:
        """Keep a sample, taken at ``at_s`` on the device's clock, here or elsewhere."""
        self._samples.append((at_s, reading))

    def taken(self) -> list[tuple[float, T]]:
        """Return all samples, oldest first, and drop them."""
        self._raise_failure()
        return [self._samples.popleft() for _ in range(len(self._samples))]

    @abstractmethod
    def _read(self) -> T: ...

    def _inside(self, start_s: float, end_s: float) -> list[tuple[float, T]]:
        self._raise_failure()
        return _within(self._samples, start_s, end_s)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def _within(samples: deque[tuple[float, T]], start_s: float, end_s: float) -> list[tuple[float, T]]:
    # From the newest back: between minibatches, callers want the last seconds of an hour of samples.
    newer = takewhile(lambda sample: sample[0] >= start_s, reversed(samples.copy()))
    return [sample for sample in newer if sample[0] <= end_s][::-1]


class PowerPoller(_Poller[float]):
    """Polls the total power of a device, and omits readings that are not finite and positive.

    Without a sample in a window, the results are empty: the caller decides what that means.

    Args:
        device: The device to poll.
        period_s: Seconds between samples. The INA3221 averages over about 0.43 s at NVIDIA's settings, so sampling
            faster than 10 Hz only repeats its filter.
    """

    def __init__(self, device: BaseDevice, period_s: float = 0.1) -> None:
        super().__init__(device, period_s)
        self._rails: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=round(_KEEP_S / period_s))

    def _read(self) -> float:
        reading = self._device.read_power()
        power_w = _plausible_w(reading)
        self._rails.append((self._device.clock.now(), reading.rails_w))
        return power_w

    def stop(self) -> None:
        super().stop()
        self._rails.clear()

    def rails_between(self, start_s: float, end_s: float) -> list[tuple[float, Mapping[str, float]]]:
        """Times (s) and powers (W) of each rail in ``[start_s, end_s]``, oldest first; none of what was added."""
        return _within(self._rails, start_s, end_s)

    def between(self, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
        """Times (s) and powers (W) of the samples in ``[start_s, end_s]``, each of shape ``(n,)``, oldest first."""
        times, watts = np.asarray(self._inside(start_s, end_s), dtype=np.float64).reshape(-1, 2).T
        return times, watts


class HealthPoller(_Poller[Health]):
    """Polls whether heat or current limits a device.

    Args:
        device: The device to poll.
        period_s: Seconds between samples. Heat comes and goes in seconds, and over-currents are counted by the board.
    """

    def __init__(self, device: BaseDevice, period_s: float = 1.0) -> None:
        super().__init__(device, period_s)

    def _read(self) -> Health:
        return self._device.health()

    def throttled_by(self, start_s: float, end_s: float) -> tuple[str, ...]:
        """What held the device back in ``[start_s, end_s]``, ``"over-current"`` included; nothing if nothing did."""
        found = [health for _, health in self._inside(start_s, end_s)]
        causes = {cause for health in found for cause in health.throttled_by}
        if found and found[-1].over_current_events > found[0].over_current_events:
            causes.add("over-current")
        return tuple(sorted(causes))

    def temperatures(self, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
        """Times (s) and temperatures (C) of the samples in ``[start_s, end_s]`` that show a plausible one."""
        samples = [(at_s, health.temperature_c) for at_s, health in self._inside(start_s, end_s)]
        shown = [each for each in samples if each[1] is not None and _COLDEST_C < each[1] < _HOTTEST_C]
        times, celsius = np.asarray(shown, dtype=np.float64).reshape(-1, 2).T
        return times, celsius

    def mean_c(self, start_s: float, end_s: float) -> float | None:
        """Mean temperature (C) in ``[start_s, end_s]``; None if no sample shows a plausible one."""
        _, celsius = self.temperatures(start_s, end_s)
        return float(celsius.mean()) if len(celsius) else None


class LoadPoller(_Poller[Load]):
    """Polls how busy the GPU and the memory of a device are. It never fails: what cannot be read is not known.

    Args:
        device: The device to poll.
        period_s: Seconds between samples. A Jetson shows the load of some milliseconds, so it takes many samples.
    """

    def __init__(self, device: BaseDevice, period_s: float = 0.1) -> None:
        super().__init__(device, period_s)
        self._has_failed = False

    def _read(self) -> Load:
        try:
            return self._device.read_load()
        except Exception as error:
            if not self._has_failed:
                log_swallowed("reading how busy the board is", error)
            self._has_failed = True
            return Load()

    def between(self, start_s: float, end_s: float) -> list[tuple[float, Load]]:
        """Times (s) and loads in ``[start_s, end_s]``, oldest first."""
        return self._inside(start_s, end_s)


class BoardPoller(_Poller[Tuple[float, Health]]):
    """Polls total power (W) and health together, slowly, for the whole job.

    Power that cannot be read is NaN; the sample still holds the health.

    Args:
        device: The device to poll.
        period_s: Seconds between samples.
    """

    def __init__(self, device: BaseDevice, period_s: float = 1.0) -> None:
        super().__init__(device, period_s)
        self.power_trouble = ""
        """Why power could not be read last; empty if it could."""

    def _read(self) -> tuple[float, Health]:
        try:
            power_w = _plausible_w(self._device.read_power())
        except (DeviceError, OSError) as error:
            if not self.power_trouble:
                log_swallowed("reading power", error)
            self.power_trouble, power_w = str(error), math.nan
        else:
            self.power_trouble = ""
        return power_w, self._device.health()


def _plausible_w(reading: PowerReading) -> float:
    watts = reading.total_w
    if not 0 < watts < math.inf:
        raise DeviceError(f"the power sensor shows {watts:g} W, which no board draws")
    return watts


class Pollers:
    """The pollers that a measurement window needs.

    Args:
        device: The device to poll.
    """

    def __init__(self, device: BaseDevice) -> None:
        self.power = PowerPoller(device)
        self.health = HealthPoller(device)
        self.load = LoadPoller(device)

    def start(self) -> None:
        """Start polling; idempotent."""
        self.power.start()
        self.health.start()
        self.load.start()

    def stop(self) -> None:
        """Stop polling, wait for the threads to end, and drop all samples."""
        self.power.stop()
        self.health.stop()
        self.load.stop()
