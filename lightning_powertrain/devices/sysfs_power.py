"""Power straight from the board's sensors: INA3221 and INA238, under hwmon (JetPack 5 on) or iio (JetPack 4)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_powertrain.devices.device import PowerReading
from lightning_powertrain.devices.roothelper.reading import read_number, read_raw
from lightning_powertrain.errors import DeviceError

DEFAULT_SETTLE_S = 2.0
_WHOLE_BOARD = ("VIN", "VDD_IN", "POM_5V_IN")
_NOT_A_RAIL = ("", "NC", "sum of shunt voltages")
_TIME_CONSTANTS = 5
_SHORTEST_SETTLE_S, _LONGEST_SETTLE_S = 0.5, 10.0
_STALE_S = 2.0


@dataclass(frozen=True)
class Rail:
    """One power rail: its power is the product of some files, times a unit."""

    name: str
    factors: tuple[Path, ...]
    unit_w: float

    def read(self) -> float | None:
        """Watts now; None if the sensor cannot be read."""
        values = [read_number(path) for path in self.factors]
        known = [value for value in values if value is not None]
        return math.prod(known) * self.unit_w if len(known) == len(values) else None


class SysfsPower:
    """The power sensors of a board.

    Args:
        root: Where the board's file systems are.
        rails: Rails that the catalogue names; where all of them are there, their sum is the total of a board without
            a rail for the whole.
        total: The rail that carries the whole module, if the catalogue names one.
    """

    def __init__(self, root: Path, rails: Sequence[str] = (), total: str = "sum") -> None:
        self._root = root
        self._named = tuple(rails)
        self._total = total
        self._find()
        self._last: tuple[float, PowerReading] | None = None

    def _find(self) -> None:
        self.rails = tuple(find_rails(self._root))
        names = [rail.name for rail in self.rails]
        whole = next((name for name in (self._total, *_WHOLE_BOARD) if name in names), None)
        summed = self._named if self._named and set(self._named) <= set(names) else names
        self.rails_in_total = (whole,) if whole else tuple(summed)

    @property
    def source(self) -> str:
        """What the total is: a rail, or ``sum:`` and the rails that are added; nothing where there is no rail."""
        if not self.rails_in_total:
            return ""
        return self.rails_in_total[0] if len(self.rails_in_total) == 1 else f"sum:{'+'.join(self.rails_in_total)}"

    @property
    def readable(self) -> bool:
        """Whether the total can be read now."""
        return self._read() is not None

    @property
    def settle_s(self) -> float:
        """Seconds until the slowest sensor's filter has forgotten: five of its time constants."""
        chips = {rail.factors[0].parent for rail in self.rails}
        intervals_ms = [read_number(chip / "update_interval") for chip in chips]
        known_s = [interval_ms / 1e3 for interval_ms in intervals_ms if interval_ms]
        if not known_s or len(known_s) < len(chips):
            return DEFAULT_SETTLE_S
        return min(max(_TIME_CONSTANTS * max(known_s), _SHORTEST_SETTLE_S), _LONGEST_SETTLE_S)

    def read(self) -> PowerReading:
        """Power now. A sensor that is away for a moment is looked for again, and its last reading stands for it.

        Raises:
            DeviceError: If the sensors have been unreadable for longer.
        """
        reading = self._read()
        if reading is None:
            self._find()  # hwmon numbers change when a driver is loaded anew
            reading = self._read()
        if reading is not None:
            self._last = (time.monotonic(), reading)
        elif self._last is None or time.monotonic() - self._last[0] > _STALE_S:
            raise DeviceError(
                f"the power sensors ({self.source or 'none was found'}) cannot be read. Where only root can, as on "
                "JetPack 4, jtop helps: `pip install 'lightning-powertrain[jetson]'`, and its service"
            )
        assert self._last is not None
        return self._last[1]

    def _read(self) -> PowerReading | None:
        rails_w = {rail.name: watts for rail in self.rails if (watts := rail.read()) is not None}
        return _reading(rails_w, self.rails_in_total)

    def close(self) -> None:
        """Nothing is held open."""


def _reading(rails_w: Mapping[str, float], parts: Sequence[str]) -> PowerReading | None:
    if not parts or not set(parts) <= set(rails_w):
        return None
    return PowerReading(sum(rails_w[name] for name in parts), dict(rails_w))


def find_rails(root: Path) -> Iterator[Rail]:
    """All power rails under ``root``, each name once."""
    seen: set[str] = set()
    for chip in sorted((root / "sys/bus/i2c/devices").glob("*")):
        kind = (read_raw(chip / "name") or "").strip()
        if "ina3221" in kind or "ina238" in kind:
            for folder in sorted((*chip.glob("hwmon/hwmon*"), *chip.glob("iio:device*"))):
                for rail in _rails_of(folder, kind):
                    if rail.name not in (*_NOT_A_RAIL, *seen):
                        seen.add(rail.name)
                        yield rail


def _rails_of(folder: Path, kind: str) -> Iterator[Rail]:
    if "ina238" in kind:
        name = (read_raw(folder / "in1_label") or "VIN").strip()
        yield Rail(name, (folder / "power1_input",), 1e-6)
    elif folder.name.startswith("iio"):
        for channel in range(3):
            name = (read_raw(folder / f"rail_name_{channel}") or "").strip()
            yield Rail(name, (folder / f"in_power{channel}_input",), 1e-3)
    else:
        for channel in range(1, 4):
            name = (read_raw(folder / f"in{channel}_label") or "").strip()
            yield Rail(name, (folder / f"in{channel}_input", folder / f"curr{channel}_input"), 1e-6)
