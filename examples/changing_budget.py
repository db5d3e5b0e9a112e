"""A budget that changes while the job runs: the sun, a battery, or the carbon intensity of the grid.

    python examples/changing_budget.py solar
    python examples/changing_budget.py battery --minutes 30
    python examples/changing_budget.py carbon

The board is SIMULATED and so is the time of day, which begins at nine. A real board needs neither ``device=`` nor
``now=``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from lightning_powertrain import Schedule, SimulatedDevice, Tuner
from lightning_powertrain.devices import EnergyMeter

FOLDER = Path(__file__).parent
MORNING = datetime(2026, 6, 21, 9, 0)


def of_battery(meter: EnergyMeter, full_wh: float) -> Callable[[], str]:
    """Full speed with a full battery, and less power as it empties."""

    def budget() -> str:
        _, joules = meter.read()
        left = 1 - joules / 3600 / full_wh
        return "45 W" if left > 0.8 else "30 W" if left > 0.5 else "15 W"

    return budget


def of_carbon(path: Path, now: Callable[[], datetime]) -> Schedule:
    """Fast while the grid is clean, and least energy while it is not."""
    with path.open(newline="", encoding="utf-8") as file:
        intensity = {row["time"]: float(row["g_per_kwh"]) for row in csv.DictReader(file)}
    return Schedule({time: "45 W" if grams < 300 else "energy" for time, grams in intensity.items()}, now)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=["solar", "battery", "carbon"])
    parser.add_argument("--minutes", type=float, default=40.0)
    arguments = parser.parse_args()

    device = SimulatedDevice("orin-agx-64gb", "resnet18")
    meter = EnergyMeter(device)
    meter.start()

    def now() -> datetime:
        return MORNING + timedelta(seconds=device.clock.now())

    budgets = {
        "solar": Schedule.load(FOLDER / "solar_day.csv", now),
        "battery": of_battery(meter, full_wh=12.0),
        "carbon": of_carbon(FOLDER / "carbon_intensity.csv", now),
    }
    with Tuner(budgets[arguments.source], device=device, max_modes=20).start() as tuner:
        while device.clock.now() < 60 * arguments.minutes:
            tuner.minibatch_ended()
    seconds, joules = meter.read()
    meter.stop()
    print(f"{seconds / 60:.0f} minutes, {joules / 3600:.1f} Wh (SIMULATED)")


if __name__ == "__main__":
    main()
