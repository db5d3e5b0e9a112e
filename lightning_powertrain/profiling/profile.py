"""What was measured: one workload on one board, mode by mode."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, Knob, PowerMode
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.profiling.signals import NOTHING, Signals, is_signal

FloatArray = npt.NDArray[np.float64]

_FORMAT = "lightning-powertrain profile 1"


# An INA3221 at NVIDIA's settings averages over this long, so that samples closer than that repeat each other.
_FILTER_S = 0.43
# The two large rails of an AGX Orin are read in steps of about 0.4 W, which a steady load does not average out; and
# between windows in the same mode powers differ by about half a per cent.
_STEPS_W = 0.16
_BETWEEN_WINDOWS = 0.005


def sensor_noise(power_w: FloatArray | float) -> FloatArray:
    """Relative standard error of a mean power that no longer window makes smaller."""
    return np.hypot(_STEPS_W / np.asarray(power_w), _BETWEEN_WINDOWS)


@dataclass(frozen=True)
class Measurement:
    """Time and power of a workload in one power mode.

    Args:
        mode: The mode that the board read back.
        time_ms: Mean time of a minibatch.
        power_w: Time-weighted mean power.
        time_std_ms: Standard deviation of the time over minibatches.
        power_std_w: Standard deviation of the power over samples.
        minibatches: Minibatches in the window.
        power_samples: Power samples in the window.
        discarded_minibatches: Minibatches that were left out, while settling or because something interrupted them.
        settle_s: Seconds from the switch to the start of the window.
        throttled_by: What held the board back meanwhile, such as ``"cpu-throttle-alert+over-current"``; empty if
            nothing did. If something did, the figures are not those of the mode.
        capped: Whether the window ended because it was full, before its means were known as precisely as was asked
            for; False for windows of a fixed length.
        temperature_c: Mean temperature of the die in the window, in degrees Celsius; None if it could not be read.
        signals: What else the window has shown: power of each rail, load of the GPU, CPU times, waiting for data.
    """

    mode: PowerMode
    time_ms: float
    power_w: float
    time_std_ms: float = 0.0
    power_std_w: float = 0.0
    minibatches: int = 1
    power_samples: int = 1
    discarded_minibatches: int = 0
    settle_s: float = 0.0
    throttled_by: str = ""
    capped: bool = False
    temperature_c: float | None = None
    signals: Signals = NOTHING

    @property
    def time_noise(self) -> float:
        """Relative standard error of :attr:`time_ms`."""
        return self.time_std_ms / self.time_ms / math.sqrt(max(1, self.minibatches))

    @property
    def power_noise(self) -> float:
        """Relative standard error of :attr:`power_w`: of the sensor, and of samples that its filter ties together."""
        independent = max(1.0, self.minibatches * self.time_ms / 1e3 / (2 * _FILTER_S))
        return math.hypot(self.power_std_w / self.power_w / math.sqrt(independent), float(sensor_noise(self.power_w)))

    @property
    def energy_mj(self) -> float:
        """Energy of one minibatch in millijoules: time (ms) x power (W)."""
        return self.time_ms * self.power_w


_COLUMNS = tuple(column.name for column in fields(Measurement) if column.name not in ("mode", "signals"))
_NUMBERS = tuple(column for column in _COLUMNS if column not in ("throttled_by", "capped", "temperature_c"))
_COUNTS = ("minibatches", "power_samples", "discarded_minibatches")


@dataclass(frozen=True)
class Provenance:
    """Where a profile comes from.

    Args:
        board: Key of the board.
        workload: Name of the workload.
        simulated: Whether the figures come from a simulation.
        details: Anything else worth keeping, as plain JSON values: versions, seed, date, command.
    """

    board: str
    workload: str
    simulated: bool
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """The measurements of one workload on one board.

    Args:
        knobs: Knobs of the board; their order is that of the columns of :attr:`modes`.
        provenance: Where the figures come from.
        measurements: What was measured, in that order.
        throttled: What was measured while the board throttled: no measure of its mode, kept for the record.
    """

    knobs: tuple[Knob, ...]
    provenance: Provenance
    measurements: tuple[Measurement, ...] = ()
    throttled: tuple[Measurement, ...] = ()

    def __len__(self) -> int:
        return len(self.measurements)

    def with_measurements(self, more: Iterable[Measurement]) -> Profile:
        """This profile and some more measurements, each where it belongs."""
        sound, throttled = list(self.measurements), list(self.throttled)
        for measurement in more:
            (throttled if measurement.throttled_by else sound).append(measurement)
        return replace(self, measurements=tuple(sound), throttled=tuple(throttled))

    def besides(self, start: Measurement) -> tuple[Measurement, ...]:
        """What was measured besides the mode that the job started in, which may have been measured again since."""
        first = self.measurements.index(start) if start in self.measurements else len(self)
        return self.measurements[:first] + self.measurements[first + 1 :]

    @property
    def throttling_modes(self) -> frozenset[PowerMode]:
        """Modes in which the board throttled more than once: heat of the mode before cannot be the reason."""
        counts = Counter(measurement.mode for measurement in self.throttled)
        return frozenset(mode for mode, count in counts.items() if count > 1)

    @property
    def modes(self) -> IntArray:
        """The measured modes, shape ``(len(self), len(self.knobs))``."""
        rows = [[measurement.mode[knob.name] for knob in self.knobs] for measurement in self.measurements]
        return np.asarray(rows, dtype=np.int64).reshape(-1, len(self.knobs))

    @property
    def time_ms(self) -> FloatArray:
        """Mean minibatch times, shape ``(len(self),)``."""
        return np.array([measurement.time_ms for measurement in self.measurements], dtype=np.float64)

    @property
    def power_w(self) -> FloatArray:
        """Mean powers, shape ``(len(self),)``."""
        return np.array([measurement.power_w for measurement in self.measurements], dtype=np.float64)

    def save(self, path: str | Path) -> None:
        """Write ``path`` (CSV, one row a mode) and, beside it, the same name with ``.json`` (knobs and provenance)."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "format": _FORMAT,
            "knobs": [asdict(knob) for knob in self.knobs],
            "provenance": asdict(self.provenance),
        }
        path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        everything = (*self.measurements, *self.throttled)
        signals = [each.signals.as_columns() for each in everything]
        shown = list(dict.fromkeys(column for columns in signals for column in columns))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([knob.name for knob in self.knobs] + list(_COLUMNS) + shown)
            for measurement, columns in zip(everything, signals):
                mode = [measurement.mode[knob.name] for knob in self.knobs]
                values = [getattr(measurement, column) for column in _COLUMNS]
                writer.writerow(mode + values + [columns.get(column) for column in shown])

    @classmethod
    def load(cls, path: str | Path) -> Profile:
        """Read what :meth:`save` wrote.

        Raises:
            FileFormatError: If one of the two files is missing, damaged or not a profile.
        """
        path = Path(path)
        try:
            about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if about["format"] != _FORMAT:
                raise ValueError(f"its format is {about['format']!r}, expected {_FORMAT!r}")
            knobs = tuple(Knob(knob["name"], knob["role"], tuple(knob["values"])) for knob in about["knobs"])
            with path.open(newline="", encoding="utf-8") as file:
                measurements = tuple(_measurement(knobs, row) for row in csv.DictReader(file))
            return cls(knobs, Provenance(**about["provenance"])).with_measurements(measurements)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileFormatError(
                f"{path} is not a profile that can be read ({error}). A profile is two files that belong together, "
                f"{path.name} and {path.with_suffix('.json').name}, as Profile.save writes them."
            ) from error


def _measurement(knobs: Sequence[Knob], row: dict[str, str]) -> Measurement:
    values: dict[str, Any] = {
        column: int(row[column]) if column in _COUNTS else float(row[column]) for column in _NUMBERS
    }
    for column in ("time_ms", "power_w"):
        if not 0 < values[column] < math.inf:
            raise ValueError(f"{column} is {row[column]}")
    # The last columns came later; older files are without.
    values["throttled_by"], values["capped"] = row.get("throttled_by") or "", row.get("capped") == "True"
    values["temperature_c"] = float(row["temperature_c"]) if row.get("temperature_c") else None
    values["signals"] = Signals.from_columns(
        {name: float(text) for name, text in row.items() if is_signal(name) and text}
    )
    return Measurement(PowerMode(**{knob.name: int(row[knob.name]) for knob in knobs}), **values)
