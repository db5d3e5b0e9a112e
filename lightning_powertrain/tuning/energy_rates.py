"""What a kilowatt-hour costs and emits, as far as the user says so."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_powertrain.errors import ArgumentError

_JOULES_PER_KWH = 3.6e6
_GRAMS_PER_KG = 1000.0


@dataclass(frozen=True)
class EnergyRates:
    """Price and carbon intensity of the energy that a job takes.

    Args:
        price_per_kwh: Price of a kilowatt-hour, in whatever currency; None to leave prices out.
        carbon_per_kwh: Grams of CO2 that a kilowatt-hour emits; None to leave emissions out.
        supply_overhead: How much more the plug draws than the sensors show, as a share of what they show.

    Raises:
        ArgumentError: If one is not a number from 0 up.

    >>> print(EnergyRates(0.32, 380).text(1.8e6))
    price 0.16 (0.32 a kWh), 190 g of CO2
    """

    price_per_kwh: float | None = None
    carbon_per_kwh: float | None = None
    supply_overhead: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 <= value < float("inf")):
                raise ArgumentError.of(name, value, "None, or a number from 0 up")

    def price(self, joules: float) -> float | None:
        """What so much energy costs, as the sensors show it."""
        return None if self.price_per_kwh is None else self._kwh(joules) * self.price_per_kwh

    def carbon_g(self, joules: float) -> float | None:
        """Grams of CO2 that so much energy emits."""
        return None if self.carbon_per_kwh is None else self._kwh(joules) * self.carbon_per_kwh

    def _kwh(self, joules: float) -> float:
        return joules * (1 + self.supply_overhead) / _JOULES_PER_KWH

    def text(self, joules: float) -> str:
        """Both in words; empty where neither is known."""
        price, carbon_g = self.price(joules), self.carbon_g(joules)
        words = [] if price is None else [f"price {price:.2g} ({self.price_per_kwh:g} a kWh)"]
        if carbon_g is not None:
            is_heavy = carbon_g >= _GRAMS_PER_KG
            words.append(f"{carbon_g / _GRAMS_PER_KG:.3g} kg of CO2" if is_heavy else f"{carbon_g:.3g} g of CO2")
        return ", ".join(words)
