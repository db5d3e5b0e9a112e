"""Transfer from whichever of several references fits what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction.grey_box_transfer import MINIMUM_MODES, GreyBoxTransfer
from lightning_powertrain.prediction.predictor import BasePredictor, FloatArray, Prediction
from lightning_powertrain.prediction.reference import DEFAULT_REFERENCE, ReferenceProfile, load_reference
from lightning_powertrain.profiling import Profile


class NearestReference(BasePredictor):
    """Transfers each of several references to the measurements, and predicts with the one that fits best.

    That is the one with which each measurement is predicted best from all others: the largest left-out log density
    (Vehtari, Gelman and Gabry 2017) of time and power. Each fit chooses anew. Until there is one, the first reference
    that suits the board says which modes are probably fast.

    A fit takes as many times longer as there are references.

    Args:
        references: One or more, such as of several workloads on one board, or of several boards.
        seed: Makes fits reproducible.

    Raises:
        ArgumentError: If there is none, or one has too few modes.

    Example::

        NearestReference([load_reference("./cnn"), load_reference("./transformer")])
    """

    minimum_modes = MINIMUM_MODES

    def __init__(self, references: Sequence[ReferenceProfile | Profile], seed: int = 0) -> None:
        if not references:
            raise ArgumentError.of("references", list(references), "one reference or more")
        self._predictors = [GreyBoxTransfer(reference, seed) for reference in references]
        self._nearest = self._predictors[0]

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Raises:
            ArgumentError: If there are fewer than :attr:`minimum_modes`, or a time or power is not a positive number.
        """
        fitted = [copy(predictor) for predictor in self._predictors]
        for predictor in fitted:
            predictor.fit(profile)
        self._nearest = max(fitted, key=lambda predictor: predictor.log_score)

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``; the prediction says which reference it is from.

        Raises:
            ArgumentError: If :meth:`fit` was not called before, or the number of columns is not the profile's.
        """
        return self._nearest.predict(modes)

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        """Times of the first reference workload that suits this board; only their ratios matter."""
        times = (predictor.reference_time_ms(modes) for predictor in self._predictors)
        return next((time_ms for time_ms in times if time_ms is not None), None)

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int = 0) -> IntArray:
        """Rows of the ``count`` modes to measure first: :meth:`GreyBoxTransfer.initial_design` of the first reference.

        Raises:
            ArgumentError: If there are not that many modes.
        """
        return self._predictors[0].initial_design(knobs, modes, count, seed)


def default_predictor(reference: str | Path | Sequence[str | Path] = DEFAULT_REFERENCE, seed: int = 0) -> BasePredictor:
    """The predictor that is used unless another is given.

    Args:
        reference: Name of a bundled reference, or the path of another; or several of these.
        seed: Makes fits reproducible.

    Raises:
        ArgumentError: If there is no bundled reference of that name, or none is given.
        FileFormatError: If the files are damaged, or not a reference.
    """
    if isinstance(reference, (str, Path)):
        return GreyBoxTransfer(load_reference(reference), seed)
    return NearestReference([load_reference(each) for each in reference], seed)
