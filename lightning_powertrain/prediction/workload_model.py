"""The grey boxes of one workload: one for time, one for power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.grey_box import POWER, TIME, GreyBox, Target, before_measuring
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Prior
from lightning_powertrain.prediction.points import power_points, time_points
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.predictor import Prediction
from lightning_powertrain.prediction.reference_model import ReferenceModel, Residuals
from lightning_powertrain.prediction.time_model import TimeModel
from lightning_powertrain.profiling import Profile

# Another workload's parameters, and the settings of its process, are expected this much closer to the reference's than
# to those of no workload at all.
_LIKE_REFERENCE = 0.5
# Half a 90 % interval, in standard deviations.
_HALF_WIDTH = 1.645


@dataclass(frozen=True, eq=False)
class WorkloadModel:
    """Time and power of a workload, on the board it was measured on or on one whose knobs have the same roles.

    Args:
        layout: Of the board that it was measured on.
        time: Of the time of a minibatch.
        power: Of the power; None if power was not measured.
    """

    layout: KnobLayout
    time: GreyBox
    power: GreyBox | None

    @classmethod
    def fit(
        cls, profile: Profile, layout: KnobLayout, seed: int, reference: ReferenceModel | None = None
    ) -> WorkloadModel:
        """Fit to a profile, close to a reference if there is one."""
        modes, log_time = profile.modes, np.log(profile.time_ms)
        borrowed = Residuals() if reference is None else reference.residuals(layout, modes)
        points, (prior, target) = time_points(layout, modes, borrowed.time), _expected_of_time(layout, reference)
        time = GreyBox(points, log_time, prior.centred_on(points.curve, log_time), target, seed)
        if not np.isfinite(profile.power_w).all():
            return cls(layout, time, None)
        return cls(layout, time, _fit_power(profile, layout, seed, time, borrowed, reference))

    def learned(self) -> ReferenceModel:
        """What another workload may start from."""
        return ReferenceModel(self.layout, self.time.learned(), None if self.power is None else self.power.learned())

    def predict(self, layout: KnobLayout, modes: IntArray, borrowed: Residuals) -> Prediction:
        """Times, powers and their 90 % intervals; powers are NaN if power was not measured."""
        log_time, time_spread = self.time.predict(time_points(layout, modes, borrowed.time))
        log_power = power_spread = np.full(len(modes), np.nan)
        power_error = float("nan")
        if self.power is not None:
            stages = layout, modes, self.time.parameters, self.time.doubt
            points = power_points(*stages, log_time, borrowed.power)
            log_power, power_spread = self.power.predict(points)
            slower = power_points(*stages, log_time + time_spread)
            change = slower.curve(self.power.parameters) - points.curve(self.power.parameters)
            power_spread = np.hypot(power_spread, change)
            power_error = self.power.error
        return Prediction(
            time_ms=np.exp(log_time),
            power_w=np.exp(log_power),
            time_error=self.time.error,
            power_error=power_error,
            time_low_ms=np.exp(log_time - _HALF_WIDTH * time_spread),
            time_high_ms=np.exp(log_time + _HALF_WIDTH * time_spread),
            power_low_w=np.exp(log_power - _HALF_WIDTH * power_spread),
            power_high_w=np.exp(log_power + _HALF_WIDTH * power_spread),
        )


def informative_rows(
    layout: KnobLayout, modes: IntArray, count: int, seed: int, reference: ReferenceModel | None
) -> IntArray:
    """Rows of ``count`` modes whose times tell most about those of all ``modes``, row 0 first."""
    borrowed = Residuals() if reference is None else reference.residuals(layout, modes)
    points = time_points(layout, modes, borrowed.time)
    covariance, noise = before_measuring(points, *_expected_of_time(layout, reference), seed)
    return greedy_design(covariance, noise, 0, count)


def _expected_of_time(layout: KnobLayout, reference: ReferenceModel | None) -> tuple[Prior, Target]:
    prior = TimeModel(layout).prior
    if reference is None:
        return prior, TIME
    return prior.tightened(reference.time.parameters, _LIKE_REFERENCE), TIME.tightened(reference.time, _LIKE_REFERENCE)


def _fit_power(
    profile: Profile,
    layout: KnobLayout,
    seed: int,
    time: GreyBox,
    borrowed: Residuals,
    reference: ReferenceModel | None,
) -> GreyBox:
    log_time, log_power = np.log(profile.time_ms), np.log(profile.power_w)
    points = power_points(layout, profile.modes, time.parameters, time.doubt, log_time, borrowed.power)
    prior, target = PowerModel(layout).prior, POWER
    if reference is not None and reference.power is not None:
        prior = prior.tightened(reference.power.parameters, _LIKE_REFERENCE)
        target = target.tightened(reference.power, _LIKE_REFERENCE)
    # On the board of the reference only the activity differs, and that is in the terms already: the scale stays.
    if reference is None or reference.power is None or reference.layout != layout:
        prior = prior.centred_on(points.curve, log_power)
    return GreyBox(points, log_power, prior, target, seed)


def greedy_design(covariance: FloatArray, noise: float, first: int, count: int) -> IntArray:
    """Points to measure, one after the other, each the one that takes most off the variance of all points together.

    What a measurement takes off does not depend on what it shows, so all are chosen before the first is made (Cohn
    1996). Fewer points are always the beginning of more.

    Args:
        covariance: Of all points before any is measured, shape ``(n, n)``.
        noise: Variance of a measurement.
        first: The point to begin with.
        count: How many, at most ``n``.

    Returns:
        Different points, shape ``(count,)``.

    Two points that go together tell less than one of them and one that stands alone.

    >>> covariance = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 0.5]])
    >>> greedy_design(covariance, 0.01, first=0, count=2).tolist()
    [0, 2]
    """
    remaining, chosen = covariance.copy(), np.empty(count, dtype=np.int64)
    is_free = np.ones(len(covariance), dtype=np.bool_)
    for index in range(count):
        variances = np.diag(remaining) + noise
        gains = np.einsum("ij,ij->j", remaining, remaining) / variances
        point = int(np.argmax(np.where(is_free, gains, -np.inf))) if index else first
        remaining -= np.outer(remaining[point], remaining[point]) / variances[point]
        chosen[index], is_free[point] = point, False
    return chosen
