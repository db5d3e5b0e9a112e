"""What a job has cost, in one line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lightning_powertrain.reporting.tables import duration, quantity
from lightning_powertrain.tuning import EnergyRates


@dataclass(frozen=True)
class PowerSummary:
    """Energy of a job, all of it: training, validation, waiting.

    Args:
        energy_j: Energy, in joules.
        seconds: Time in which it was spent.
        samples: Samples that were trained on; 0 if not known.
        simulated: Whether the figures come from a simulation.
        rates: Price and carbon intensity of the energy, as far as they are known.

    >>> print(PowerSummary(energy_j=7200.0, seconds=250.0, samples=16000, simulated=True))
    2.00 Wh (7.20 kJ) in 4:10, 28.8 W on average, 0.450 J a sample (simulated)
    """

    energy_j: float
    seconds: float
    samples: int
    simulated: bool
    rates: EnergyRates = field(default_factory=EnergyRates)

    @property
    def power_w(self) -> float:
        """Mean power, in watts; NaN if no time has passed."""
        return self.energy_j / self.seconds if self.seconds else math.nan

    @property
    def energy_per_sample_j(self) -> float:
        """Joules for each sample that was trained on; NaN without any."""
        return self.energy_j / self.samples if self.samples else math.nan

    def __str__(self) -> str:
        energy = f"{quantity(self.energy_j / 3600, 'Wh')} ({quantity(self.energy_j / 1e3, 'kJ')})"
        a_sample = f", {quantity(self.energy_per_sample_j, 'J')} a sample" if self.samples else ""
        simulated = " (simulated)" if self.simulated else ""
        rates = f", {words}" if (words := self.rates.text(self.energy_j)) else ""
        mean = f"{quantity(self.power_w, 'W')} on average"
        return f"{energy} in {duration(self.seconds)}, {mean}{a_sample}{rates}{simulated}"
