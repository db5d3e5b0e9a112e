"""Heat and over-current, from sysfs; whatever cannot be read is left out."""

from __future__ import annotations

import re
from pathlib import Path

from lightning_powertrain.devices.power_source import Health
from lightning_powertrain.devices.roothelper.reading import read_number, read_raw

_THERMAL = "sys/class/thermal"

# Cooling devices that cap a clock: the kernel's own (cpufreq-cpu0, thermal-cpufreq-0, devfreq-17000000.gpu), NVIDIA's
# alerts (gpu-throttle-alert), and those of older kernels (cpu-balanced, GPU-cap).
_CAPS_A_CLOCK = re.compile(r"cpu|gpu|emc|freq|throttl|balanced|heavy|-cap$", re.IGNORECASE)
# What else they are: fans; a warning that the module is hot to the touch, from 70 C on; and, on Nano and TX1, a voltage
# that follows the temperature (vdd-gpu-vts shows its range) or must not fall when it is cold (DFLL-floor).
_CAPS_NOTHING = re.compile(r"fan|hot-surface|-vts|floor|vmin", re.IGNORECASE)
# Zones of the die: its junction, or else its CPU and GPU. Others are of the module, or show a constant (PMIC-Die).
_DIE = re.compile(r"(tj|[mb]?cpu|gpu)-therm", re.IGNORECASE)
_COLDEST_MC = -100_000
"""A zone that is switched off may read -256 C."""


def read_health(root: Path) -> Health:
    """Whether heat or current holds the board back now."""
    return Health(throttling(root), over_current_events(root), die_temperature_c(root))


def temperatures_c(root: Path) -> dict[str, float]:
    """Temperature of every thermal zone that is switched on, in degrees Celsius, by its type."""
    zones = {}
    for zone in sorted((root / _THERMAL).glob("thermal_zone*")):
        millidegrees = read_number(zone / "temp")
        if millidegrees is not None and millidegrees > _COLDEST_MC:
            zones[(read_raw(zone / "type") or zone.name).strip()] = millidegrees / 1e3
    return zones


def die_temperature_c(root: Path) -> float | None:
    """Temperature of the hottest place of the die, in degrees Celsius; None if no zone shows it."""
    zones = (root / _THERMAL).glob("thermal_zone*")
    readings = [read_number(zone / "temp") for zone in zones if _DIE.match(read_raw(zone / "type") or "")]
    return max((each / 1e3 for each in readings if each is not None and each > _COLDEST_MC), default=None)


def throttling(root: Path) -> tuple[str, ...]:
    """Types of the cooling devices that hold a clock down now."""
    active = []
    for device in sorted((root / _THERMAL).glob("cooling_device*")):
        kind = (read_raw(device / "type") or device.name).strip()
        caps_a_clock = _CAPS_A_CLOCK.search(kind) and not _CAPS_NOTHING.search(kind)
        if caps_a_clock and (read_number(device / "cur_state") or 0) > 0:
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
