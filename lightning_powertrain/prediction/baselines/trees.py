"""Ensembles of regression trees: what a practitioner without physics would try first."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.errors import ArgumentError, MissingPackageError
from lightning_powertrain.prediction.baselines.paper import PaperNetworks
from lightning_powertrain.prediction.knob_layout import FloatArray
from lightning_powertrain.prediction.predictor import BasePredictor, Prediction, check_profile
from lightning_powertrain.profiling import Profile

MINIMUM_MODES = 5
# Each tree sees a part of the modes (stochastic gradient boosting, Friedman 2002). Of five settings tried on simulated
# and recorded workloads the one with the least errors, which favours this baseline a little.
_BOOSTED_TREES, _LEARNING_RATE, _DEPTH, _SHARE = 300, 0.05, 3, 0.7
# Other settings are scikit-learn's: one mode a leaf, and all features at each split.
_FOREST_TREES = 200


class Trees(BasePredictor):
    """Logarithms of time and power by regression trees on the knobs, and on what a reference workload would take.

    Needs scikit-learn, which is an optional extra.

    Args:
        reference: Networks of a reference workload, whose predicted time and power in a mode are two more features;
            None for the knobs alone, which is also what is used where the knobs of the board have other roles than the
            reference's.
        seed: Makes a fit reproducible.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
    """

    minimum_modes = MINIMUM_MODES

    def __init__(self, reference: PaperNetworks | None, seed: int = 0) -> None:
        self._reference = reference
        self._knobs: tuple[Knob, ...] | None = None
        try:
            self._time, self._power = self._regressor(seed), self._regressor(seed)
        except ModuleNotFoundError as missing:
            raise MissingPackageError.of("scikit-learn", "evaluation") from missing

    @abstractmethod
    def _regressor(self, seed: int) -> Any:
        """A regressor of scikit-learn; may raise a ModuleNotFoundError."""

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Raises:
            ArgumentError: If there are fewer than :attr:`minimum_modes`, or a time or power is not a positive number.
        """
        check_profile(profile, MINIMUM_MODES)
        self._knobs = profile.knobs
        features = self._features(profile.modes, profile.knobs)
        self._time.fit(features, np.log(profile.time_ms))
        self._power.fit(features, np.log(profile.power_w))

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        return None if self._reference is None else self._reference.time_ms_in(modes)

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs.

        Raises:
            ArgumentError: If :meth:`fit` was not called before.
        """
        if self._knobs is None:
            raise ArgumentError("predict() was called before fit(). Call fit() with a profile first.")
        features = self._features(modes, self._knobs)
        time_ms, power_w = np.exp(self._time.predict(features)), np.exp(self._power.predict(features))
        reference = self._suited(self._knobs)
        return Prediction(time_ms, power_w, reference=None if reference is None else reference.provenance)

    def _features(self, modes: IntArray, knobs: tuple[Knob, ...]) -> FloatArray:
        reference = self._suited(knobs)
        if reference is None:
            return modes.astype(np.float64)
        predicted = reference.predict(modes)
        return np.column_stack([modes, np.log(predicted.time_ms), np.log(predicted.power_w)])

    def _suited(self, knobs: tuple[Knob, ...]) -> PaperNetworks | None:
        """The reference, if its knobs have the roles of this board's."""
        reference = self._reference
        suits = reference is not None and [knob.role for knob in knobs] == [knob.role for knob in reference.knobs]
        return reference if suits else None


class GradientBoosting(Trees):
    """Gradient boosting; for its arguments see :class:`Trees`."""

    def _regressor(self, seed: int) -> Any:
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(
            n_estimators=_BOOSTED_TREES,
            learning_rate=_LEARNING_RATE,
            max_depth=_DEPTH,
            subsample=_SHARE,
            random_state=seed,
        )


class RandomForest(Trees):
    """A random forest (Breiman 2001); for its arguments see :class:`Trees`."""

    def _regressor(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(_FOREST_TREES, random_state=seed)
