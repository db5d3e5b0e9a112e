"""Heat and over-current, from sysfs; whatever cannot be read is left out."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.devices.device import Health
from lightning_powertrain.devices.roothelper.reading import read_number, read_raw

_THERMAL = "sys/class/thermal"

# Cooling devices that hold nothing back: a fan, and Orin's warning that the module is hot to the touch, which comes and
# goes from 70 C on.
_HARMLESS = ("fan", "hot-surface-alert")


def read_health(root: Path) -> Health:
    """Whether heat or current holds the board back now."""
    return Health(throttling(root), over_current_events(root))


def temperatures_c(root: Path) -> dict[str, float]:
    """Temperature of every thermal zone, in degrees Celsius, by its type."""
    zones = {}
    for zone in sorted((root / _THERMAL).glob("thermal_zone*")):
        millidegrees = read_number(zone / "temp")
        if millidegrees is not None:
            zones[(read_raw(zone / "type") or zone.name).strip()] = millidegrees / 1e3
    return zones


def throttling(root: Path) -> tuple[str, ...]:
    """Types of the cooling devices that hold something back now."""
    active = []
    for device in sorted((root / _THERMAL).glob("cooling_device*")):
        kind = (read_raw(device / "type") or device.name).strip()
        harmless = any(word in kind.lower() for word in _HARMLESS)
        if not harmless and (read_number(device / "cur_state") or 0) > 0:
            active.append(kind)
    return tuple(active)


def over_current_events(root: Path) -> int:
    """Over-current and under-voltage events since the board booted, all causes together."""
    counters = [
        counter
        for sensor in (root / "sys/class/hwmon").glob("hwmon*")
        if (read_raw(sensor / "name") or "").strip() == "soctherm_oc"
        for counter in sensor.glob("oc*_event_cnt")
    ]
    return sum(read_number(counter) or 0 for counter in counters)
