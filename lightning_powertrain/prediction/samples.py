"""Profiles as networks see them: standardised inputs, raw targets, a part held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Profile

FloatArray = npt.NDArray[np.float64]

MINIMUM_MODES = 10
"""A fifth of them is held out to choose the best epoch with and to state an error; fewer than two say nothing. The
paper's experiments start at 10 as well (arXiv 2407.13944)."""

ROWS_PER_MODE = 40
"""Rows that each mode stands for while networks are trained."""


@dataclass(frozen=True, eq=False)
class Scaler:
    """Standardises knob values: less their mean, over their standard deviation.

    Args:
        mean: Per knob.
        std: Per knob; 1 for a knob that took one value only.
    """

    mean: FloatArray
    std: FloatArray

    @classmethod
    def fit(cls, modes: IntArray) -> Scaler:
        """The scaler of some modes, shape ``(n, knobs)``."""
        std = modes.std(axis=0)
        return cls(modes.mean(axis=0), np.where(std > 0, std, 1.0))

    def __call__(self, modes: IntArray) -> npt.NDArray[np.float32]:
        """Standardised knob values, same shape."""
        return ((modes - self.mean) / self.std).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Samples:
    """What networks learn from or are judged by.

    Args:
        inputs: Standardised knob values, shape ``(n, knobs)``.
        targets: Times (ms) and powers (mW), shape ``(2, n)``.
    """

    inputs: npt.NDArray[np.float32]
    targets: FloatArray

    @classmethod
    def of(cls, profile: Profile, scaler: Scaler) -> Samples:
        """All measurements of a profile."""
        return cls(scaler(profile.modes), np.stack([profile.time_ms, profile.power_w * 1e3]))

    def split(self, rng: np.random.Generator) -> tuple[Samples, Samples]:
        """Four fifths of the samples, drawn at random, and the rest."""
        count = self.targets.shape[1]
        order = rng.permutation(count)
        held_out = round(count / 5)
        return self._take(order[held_out:]), self._take(order[:held_out])

    def _take(self, indices: IntArray) -> Samples:
        return Samples(self.inputs[indices], self.targets[:, indices])


def check_profile(profile: Profile) -> None:
    """Refuse a profile that nothing can be learnt from.

    Raises:
        ArgumentError: If it has too few modes, or a time or power that is not a positive number.
    """
    if len(profile) < MINIMUM_MODES:
        raise ArgumentError.of("profile", f"{len(profile)} modes", f"a profile of at least {MINIMUM_MODES} modes")
    for measurement in profile.measurements:
        for name, value in (("time_ms", measurement.time_ms), ("power_w", measurement.power_w)):
            if not (np.isfinite(value) and value > 0):
                raise ArgumentError.of(
                    name, value, f"a positive number, in every row of the profile ({measurement.mode})"
                )


def mape(predicted: FloatArray, measured: FloatArray) -> FloatArray:
    """Mean absolute percentage error over the last axis, as a fraction.

    >>> float(mape(np.array([110.0, 90.0]), np.array([100.0, 100.0])))
    0.1
    """
    return np.asarray(np.mean(np.abs(predicted - measured) / measured, axis=-1))
