"""Heat that lowers limits: while the board throttles, a limit file may not say what was set.

The kernel's own cooling devices for clocks lay a cap over what was set. The files then show the lower of the two, and
show what was set again once the board has cooled. Until then it is not known what was set.
"""

from __future__ import annotations

import re
from pathlib import Path

from lightning_powertrain.devices.roothelper.reading import read_number, read_raw

_CAPPING = re.compile(r"cpufreq|devfreq")
"""``thermal-cpufreq-0`` (before kernel 5.12) or ``cpufreq-cpu0``. Firmware that throttles leaves the limits as set."""


def lowering(root: Path) -> tuple[str, ...]:
    """Types of the cooling devices that make limits read lower than they were set, now."""
    active = []
    for device in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = (read_raw(device / "type") or "").strip()
        if _CAPPING.search(kind) and (read_number(device / "cur_state") or 0) > 0:
            active.append(kind)
    return tuple(active)
