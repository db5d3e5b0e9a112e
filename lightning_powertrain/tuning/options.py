"""The options of tuning that few people need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_powertrain.devices import Pollers
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction import DEFAULT_REFERENCE, BasePredictor, default_predictor
from lightning_powertrain.tuning.checks import (
    check_predictor,
    check_seed,
    check_supply_overhead,
    check_switches,
    check_tolerance,
)
from lightning_powertrain.tuning.energy_rates import EnergyRates
from lightning_powertrain.tuning.observers import Observer


@dataclass(frozen=True)
class ProfilingOptions:
    """How modes are measured, predicted and watched; :class:`Tuner` and :class:`PowerTrainCallback` take it.

    Args:
        reference: Name of a bundled reference, or the path of one that ``powertrain reference fit`` made; or several of
            these, of which the one that fits the measurements best is used
            (:class:`~lightning_powertrain.NearestReference`); None for the bundled one of an AGX Orin.
        predictor: Predicts the modes that are not measured, such as
            :class:`~lightning_powertrain.prediction.baselines.PaperTransfer`; None for a transfer from ``reference``.
        tolerance: A mode is measured until its mean time and power are known as well as this, the half-width of their
            95 % confidence intervals relative to the mean, or for 40 minibatches; None for always 40.
        seed: Makes the sample of modes reproducible.
        match_threads: Keep torch from computing with more threads on the CPU than there are cores online. Off by
            default: another number of threads may change the last bits of what is computed there.
        adapt: Watch the mode once it is locked, and choose again if its time or power drifts, or if the board throttles
            in it; see docs/drift.md. Jobs over several boards do not adapt.
        spread: In a job of unknown length, measure a mode only once profiling has time for it in ``max_share`` of the
            time so far, and train in the best mode known in between. Otherwise such a job counts as long enough.
        supply_overhead: How much more the plug draws than the module's sensors show, as a share of what they show:
            0.28 for 28 %. Watts and watt-hours of the budget then mean the plug, and ``"30 W"`` is 30 / 1.28 = 23.4 W
            on the module; see docs/budgets.md. By default 0, and the budget means the module.
        price_per_kwh: Price of a kilowatt-hour, in whatever currency: reports say then what the whole job costs.
        carbon_per_kwh: Grams of CO2 that a kilowatt-hour emits: reports say then what the whole job emits.
        pollers: Read power and health of the board; None for every 0.1 s and every 1 s.
        observers: Are notified of every step.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        PowerTrainCallback("30 W", options=ProfilingOptions(seed=1, tolerance=0.05))
    """

    reference: str | Path | Sequence[str | Path] | None = None
    predictor: BasePredictor | None = None
    tolerance: float | None = 0.02
    seed: int = 0
    match_threads: bool = False
    adapt: bool = True
    spread: bool = False
    supply_overhead: float = 0.0
    price_per_kwh: float | None = None
    carbon_per_kwh: float | None = None
    pollers: Pollers | None = None
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_tolerance(self.tolerance)
        check_supply_overhead(self.supply_overhead)
        EnergyRates(self.price_per_kwh, self.carbon_per_kwh)
        check_switches(match_threads=self.match_threads, adapt=self.adapt, spread=self.spread)
        if self.predictor is not None:
            check_predictor(self.predictor)
            if self.reference is not None:
                raise ArgumentError.of(
                    "reference", self.reference, "None together with predictor=, which brings its own"
                )

    @property
    def rates(self) -> EnergyRates:
        """Price and carbon intensity of the energy."""
        return EnergyRates(self.price_per_kwh, self.carbon_per_kwh, self.supply_overhead)

    def with_predictor(self) -> ProfilingOptions:
        """The same options with a predictor: the given one, or a transfer from the reference.

        Raises:
            ArgumentError: If there is no such reference.
        """
        if self.predictor is not None:
            return self
        predictor = default_predictor(DEFAULT_REFERENCE if self.reference is None else self.reference, self.seed)
        return replace(self, predictor=predictor, reference=None)
