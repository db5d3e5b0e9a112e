"""From a profile to two fitted networks: what references and transfers have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.networks import Networks
from lightning_powertrain.prediction.predictor import FloatArray
from lightning_powertrain.prediction.samples import ROWS_PER_MODE, Samples, Scaler, check_profile, mape
from lightning_powertrain.profiling import Profile

# The networks' last layer is linear: for fast modes it can fall to zero and below, and a mode of no time or no power
# would always be chosen. No mode is ten times better than the best of those sampled.
_FLOOR = 0.1


@dataclass(frozen=True, eq=False)
class FittedNetworks:
    """Networks with all that it takes to ask them about modes.

    Args:
        networks: The networks.
        scaler: Standardises their inputs.
        floors: The least time (ms) and power (mW) to predict, shape ``(2,)``.
    """

    networks: Networks
    scaler: Scaler
    floors: FloatArray

    def predict(self, modes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Times (ms) and powers (W) of modes, shape ``(n, knobs)``."""
        time_ms, power_mw = self._predict(self.scaler(modes))
        return time_ms, power_mw / 1e3

    def errors(self, samples: Samples) -> FitErrors:
        """Errors on some samples."""
        time, power = mape(self._predict(samples.inputs), samples.targets)
        return FitErrors(float(time), float(power))

    def _predict(self, inputs: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> FloatArray:
        return np.maximum(self.networks.predict(inputs), self.floors[:, None])


@dataclass(frozen=True)
class FitErrors:
    """Mean absolute percentage errors, as fractions.

    Args:
        time: Of the times.
        power: Of the powers.
    """

    time: float
    power: float


@dataclass(frozen=True, eq=False)
class Fit:
    """The outcome of a fit.

    Args:
        fitted: The networks.
        all_modes: Errors on every mode of the profile.
        held_out: Errors on the modes that only chose the epoch.
    """

    fitted: FittedNetworks
    all_modes: FitErrors
    held_out: FitErrors


def fit_networks(
    profile: Profile, seed: int, pretrained: Networks | None = None, *, rows_per_mode: int = ROWS_PER_MODE
) -> Fit:
    """Fit both networks to a profile, four fifths of it to learn from and the rest to choose the epoch with.

    Args:
        profile: What was measured.
        seed: Makes the fit reproducible, on the same machine bit for bit.
        pretrained: Networks to start from, with a fresh output layer; None starts from new ones.
        rows_per_mode: Rows that each mode stands for.

    Raises:
        ArgumentError: If the profile has too few modes, or a time or power that is not a positive number.
    """
    # The only part of predicting that needs torch: what reads and sets boards runs without it.
    from lightning_powertrain.prediction.training import train

    check_profile(profile)
    rng = np.random.Generator(np.random.SFC64(seed))
    scaler = Scaler.fit(profile.modes)
    samples = Samples.of(profile, scaler)
    learning, held_out = samples.split(rng)
    start = Networks.fresh(len(profile.knobs), rng) if pretrained is None else pretrained.with_fresh_head(rng)
    networks = train(start, learning, held_out, rng, rows_per_mode=rows_per_mode)
    fitted = FittedNetworks(networks, scaler, _FLOOR * samples.targets.min(axis=1))
    return Fit(fitted, fitted.errors(samples), fitted.errors(held_out))
