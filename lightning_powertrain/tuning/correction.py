"""What is still true of older measurements once a job has drifted, and how often a choice may be corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.prediction.predictor import FloatArray
from lightning_powertrain.profiling import Profile, Signals
from lightning_powertrain.selection import Objective
from lightning_powertrain.tuning.drift import Drift

# After a correction nothing is corrected for so long, after the next one twice as long, and so on: in ten hours that
# makes eight at the most, whatever the job does.
_FIRST_WAIT_S = 300.0
_MOST_CORRECTIONS = 8


def rescaled(profile: Profile, time_ratio: float, power_ratio: float) -> Profile:
    """What the modes of a profile would show if all of them had moved as the locked one did. Measured is none of it."""
    moved = (
        replace(
            each,
            time_ms=each.time_ms * time_ratio,
            time_std_ms=each.time_std_ms * time_ratio,
            power_w=each.power_w * power_ratio,
            power_std_w=each.power_std_w * power_ratio,
            temperature_c=None,  # The earlier temperature does not belong to the present power.
            signals=Signals(),
        )
        for each in profile.measurements
    )
    return replace(profile, measurements=tuple(moved))


def moved(objective: Objective, drift: Drift) -> Objective:
    """The objective after a drift; a board that throttles is the same board, and the objective stays the same."""
    return objective if drift.is_throttling else objective.after_drift(drift.time_ratio, drift.power_ratio)


class WithEarlier(BasePredictor):
    """A predictor that also learns from earlier measurements, of all modes that were not measured anew.

    Args:
        predictor: The predictor.
        earlier: The earlier measurements, rescaled to the present.
    """

    minimum_modes = 0

    def __init__(self, predictor: BasePredictor, earlier: Profile) -> None:
        self._predictor = predictor
        self._earlier = earlier

    def together(self, profile: Profile) -> Profile:
        """Both: what was measured anew, and what is known of the other modes from before."""
        anew = {each.mode for each in profile.measurements}
        older = tuple(each for each in self._earlier.measurements if each.mode not in anew)
        return replace(profile, measurements=older + profile.measurements)

    def fit(self, profile: Profile) -> None:
        self._predictor.fit(self.together(profile))

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        return self._predictor.reference_time_ms(modes)

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        return self._predictor.initial_design(knobs, modes, count, seed)

    def predict(self, modes: IntArray) -> Prediction:
        return self._predictor.predict(modes)


class Backoff:
    """Keeps corrections apart, each further from the last than that was from the one before: none can oscillate."""

    def __init__(self) -> None:
        self._made = 0
        self._last_s = 0.0

    @property
    def _wait_s(self) -> float:
        return _FIRST_WAIT_S * 2 ** (self._made - 1) if self._made else 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether no more corrections are made in this job."""
        return self._made >= _MOST_CORRECTIONS

    def allows(self, now_s: float) -> bool:
        """Whether enough time has passed."""
        return now_s >= self._last_s + self._wait_s

    def is_soon(self, now_s: float) -> bool:
        """Whether the last correction has not lasted for long."""
        return self._made > 0 and now_s < self._last_s + 2 * self._wait_s

    def corrected(self, now_s: float) -> None:
        """Take note of a correction."""
        self._made += 1
        self._last_s = now_s
