"""What a diagnosis says of a board that throttles now."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_powertrain.devices.facts import Facts
from lightning_powertrain.devices.findings import Finding
from lightning_powertrain.devices.sysfs import COOLING_S


def check_heat(facts: Facts) -> Iterator[Finding]:
    """Nothing on a cool board."""
    if facts.lowering:
        text = (
            f"the board throttles now ({', '.join(facts.lowering)}): its clock limits read lower than they were set. A "
            f"job that starts now waits {COOLING_S:g} s for the board to cool down, and is not tuned if it stays hot"
        )
        yield Finding("heat", "warn", text)
