"""The predictor of the paper: its networks, transferred from a reference workload (arXiv 2407.13944)."""

from __future__ import annotations

from dataclasses import replace

from lightning_powertrain.boards import IntArray
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.logs import warn
from lightning_powertrain.prediction.baselines.paper.fitted import PaperNetworks
from lightning_powertrain.prediction.baselines.paper.fitting import MINIMUM_MODES, fit_networks
from lightning_powertrain.prediction.predictor import BasePredictor, FloatArray, Prediction
from lightning_powertrain.profiling import Profile, Provenance


class PaperTransfer(BasePredictor):
    """Transfers the networks of a reference workload to the measured one, as the paper does.

    The output layer is replaced by a new one, and all layers are trained again with the settings of the reference, on
    inputs standardised by the measured modes alone. A fifth of the rows of each mode is held out to choose the epoch.
    The prediction's ``time_error`` and ``power_error`` are the mean absolute percentage errors on the measured modes,
    which the networks have seen: those of other modes are larger. Differences from the paper are listed in
    :mod:`lightning_powertrain.prediction.baselines.paper.training`.

    A board whose knobs differ in role from the reference's (a Jetson TX2 has two CPU clusters) cannot use its first
    layer. The networks are then trained from scratch, which needs more modes for the same accuracy, and the log says so
    once.

    Args:
        reference: Networks to transfer; None trains from scratch, which is a baseline of the paper.
        seed: Makes a fit reproducible, on the same machine bit for bit.
    """

    minimum_modes = MINIMUM_MODES

    def __init__(self, reference: PaperNetworks | None, seed: int = 0) -> None:
        self._reference = reference
        self._seed = seed
        self._has_warned = False
        self._fitted: PaperNetworks | None = None
        self._transferred: Provenance | None = None

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Raises:
            ArgumentError: If there are fewer than :attr:`minimum_modes`, or a time or power is not a positive number.
        """
        start = self._reference_for(profile)
        self._fitted = fit_networks(profile, self._seed, start)
        self._transferred = None if start is None else start.provenance

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        return None if self._reference is None else self._reference.time_ms_in(modes)

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs.

        Raises:
            ArgumentError: If :meth:`fit` was not called before, or the number of columns is not the profile's.
        """
        if self._fitted is None:
            raise ArgumentError("predict() was called before fit(). Call fit() with a profile first.")
        knobs = len(self._fitted.knobs)
        if modes.ndim != 2 or modes.shape[1] != knobs:
            raise ArgumentError.of("modes.shape", modes.shape, f"(n, {knobs}), one column for each knob of the profile")
        return replace(self._fitted.predict(modes), reference=self._transferred)

    def _reference_for(self, profile: Profile) -> PaperNetworks | None:
        """The networks to start from, if they suit the board of a profile."""
        if self._reference is None:
            return None
        roles, expected = ([knob.role for knob in knobs] for knobs in (profile.knobs, self._reference.knobs))
        if roles == expected:
            return self._reference
        if not self._has_warned:
            self._has_warned = True
            warn(
                "the knobs of %s are %s, those of the reference %s: its networks cannot be transferred. "
                "They are trained from scratch, which needs more modes for the same accuracy. "
                "`powertrain reference fit --paper` fits networks for this board",
                profile.provenance.board,
                ", ".join(roles),
                ", ".join(expected),
                see="troubleshooting.md#other-boards",
            )
        return None
