"""A random forest (Breiman 2001)."""

from __future__ import annotations

from typing import Any

from lightning_powertrain.prediction.baselines.trees import Trees

# Other settings are scikit-learn's: one mode a leaf, and all features at each split.
_TREES = 200


class RandomForest(Trees):
    """Logarithms of time and power by a random forest on the knobs, and on what a reference workload would take.

    Needs scikit-learn, which is an optional extra.

    Args:
        reference: Networks of a reference workload, whose predicted time and power in a mode are two more features;
            None for the knobs alone, which is also what is used where the knobs of the board have other roles than the
            reference's.
        seed: Makes a fit reproducible.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
    """

    def _regressor(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(_TREES, random_state=seed)
