"""Power straight from the board's sensors: INA3221 and INA238, under hwmon (JetPack 5 on) or iio (JetPack 4)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_powertrain.devices.power_source import PowerReading
from lightning_powertrain.devices.rails import Total, total_of
from lightning_powertrain.devices.roothelper.reading import read_number, read_raw
from lightning_powertrain.errors import DeviceError

DEFAULT_SETTLE_S = 2.0
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
        rails: The module's own rails, as the catalogue names them; empty for a board that it does not know.
        total: The rail that carries the whole module, or ``"sum"`` where its rails are added.
    """

    def __init__(self, root: Path, rails: Sequence[str] = (), total: str = "sum") -> None:
        self._root = root
        self._named = tuple(rails)
        self._total = total
        self._made_of = Total(())
        self._find()
        self._last: tuple[float, PowerReading] | None = None

    def _find(self) -> None:
        """Look for the sensors. What the total is made of stays, or it would shrink while one of them is away."""
        self.rails = tuple(find_rails(self._root))
        if not self._made_of.parts:
            self._made_of = total_of([rail.name for rail in self.rails], self._named, self._total)

    @property
    def source(self) -> str:
        """What the total is: a rail, or ``sum:`` and the rails that are added; nothing where there is no rail."""
        return self._made_of.source

    @property
    def caveat(self) -> str:
        """Why the total may be wrong; empty where it is known to be the module's."""
        return self._made_of.caveat

    @property
    def readable(self) -> bool:
        """Whether the total can be read now."""
        return self._read() is not None

    @property
    def shows_zero(self) -> bool:
        """Whether the total can be read, but is no power: a sensor that is not connected, say."""
        total_w = _total_w(self._rails_w(), self._made_of.parts)
        return total_w is not None and total_w <= 0

    @property
    def settle_s(self) -> float:
        """Seconds until the slowest sensor's filter has forgotten: five of its time constants."""
        chips = {rail.factors[0].parent for rail in self.rails if rail.name in self._made_of.parts}
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
            raise DeviceError(self._why_unreadable())
        assert self._last is not None
        return self._last[1]

    def _why_unreadable(self) -> str:
        if self.shows_zero:
            return f"the power sensors ({self.source}) show 0 W, which no running board draws"
        return (
            f"the power sensors ({self.source or 'none was found'}) cannot be read. Where only root can "
            "read them, jtop helps: `pip install 'lightning-powertrain[jetson]'`, and its service"
        )

    def _rails_w(self) -> dict[str, float]:
        return {rail.name: watts for rail in self.rails if (watts := rail.read()) is not None}

    def _read(self) -> PowerReading | None:
        rails_w = self._rails_w()
        total_w = _total_w(rails_w, self._made_of.parts)
        return PowerReading(total_w, rails_w) if total_w is not None and total_w > 0 else None

    def close(self) -> None:
        """Nothing is held open."""


def _total_w(rails_w: Mapping[str, float], parts: Sequence[str]) -> float | None:
    return sum(rails_w[name] for name in parts) if parts and set(parts) <= set(rails_w) else None


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
