"""The grey boxes of one workload: one for time, one for power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.evidence import power_evidence, time_evidence
from lightning_powertrain.prediction.grey_box import POWER, TIME, GreyBox, Target, prior_covariance
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Prior
from lightning_powertrain.prediction.points import power_points, time_points
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.predictor import Prediction
from lightning_powertrain.prediction.reference_model import ReferenceModel, Residuals
from lightning_powertrain.prediction.time_model import TimeModel
from lightning_powertrain.profiling import Profile

# With a reference, the priors of the parameters and hyperparameters are centred on those of the reference, and their
# standard deviations are multiplied by this.
_SPREAD_FACTOR = 0.7
# A design is made for workloads that are closer to the reference, so that it tells those apart which are likely.
_DESIGN_FACTOR = 0.5
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
        residuals = Residuals() if reference is None else reference.residuals(layout, modes)
        points, (prior, target) = time_points(layout, modes, residuals.time), _time_prior(layout, reference)
        prior, evidence = prior.centred_on(points.curve, log_time), time_evidence(layout, profile)
        time = GreyBox(points, log_time, prior, target, seed, reference is not None, evidence)
        if not np.isfinite(profile.power_w).all():
            return cls(layout, time, None)
        return cls(layout, time, _fit_power(profile, layout, seed, time, residuals, reference))

    @property
    def log_score(self) -> float:
        """How well each measurement of time and power is predicted from all others: the sum of both log scores."""
        return self.time.log_score + (0.0 if self.power is None else self.power.log_score)

    def as_reference(self) -> ReferenceModel:
        """What another workload may start from."""
        return ReferenceModel(
            self.layout, self.time.as_reference(), None if self.power is None else self.power.as_reference()
        )

    def predict(self, layout: KnobLayout, modes: IntArray, residuals: Residuals) -> Prediction:
        """Times, powers and their 90 % intervals; powers are NaN if power was not measured."""
        log_time, time_spread = self.time.predict(time_points(layout, modes, residuals.time))
        log_power = power_spread = np.full(len(modes), np.nan)
        power_error = float("nan")
        if self.power is not None:
            stages = layout, modes, self.time.parameters, self.time.posterior_root
            points = power_points(*stages, log_time, residuals.power)
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


def initial_design(
    layout: KnobLayout, modes: IntArray, count: int, seed: int, reference: ReferenceModel | None
) -> IntArray:
    """Rows of the ``count`` modes that most reduce the variance of the times of all ``modes``, row 0 first."""
    residuals = Residuals() if reference is None else reference.residuals(layout, modes)
    points = time_points(layout, modes, residuals.time)
    covariance, noise = prior_covariance(points, *_time_prior(layout, reference, _DESIGN_FACTOR), seed)
    return greedy_design(covariance, noise, 0, count)


def _time_prior(
    layout: KnobLayout, reference: ReferenceModel | None, factor: float = _SPREAD_FACTOR
) -> tuple[Prior, Target]:
    prior = TimeModel(layout).prior
    if reference is None:
        return prior, TIME
    return prior.tightened(reference.time.parameters, factor), TIME.tightened(reference.time, factor)


def _fit_power(
    profile: Profile,
    layout: KnobLayout,
    seed: int,
    time: GreyBox,
    residuals: Residuals,
    reference: ReferenceModel | None,
) -> GreyBox:
    log_time, log_power = np.log(profile.time_ms), np.log(profile.power_w)
    points = power_points(layout, profile.modes, time.parameters, time.posterior_root, log_time, residuals.power)
    prior, target = PowerModel(layout).prior, POWER
    if reference is not None and reference.power is not None:
        prior = prior.tightened(reference.power.parameters, _SPREAD_FACTOR)
        target = target.tightened(reference.power, _SPREAD_FACTOR)
    # On the board of the reference only the activity differs, and that is in the terms already: the scale stays.
    if reference is None or reference.power is None or reference.layout != layout:
        prior = prior.centred_on(points.curve, log_power)
    activity = TimeModel(layout).activity(profile.modes, time.parameters, log_time)
    evidence = power_evidence(layout, profile, activity)
    return GreyBox(points, log_power, prior, target, seed, reference is not None, evidence)


def greedy_design(covariance: FloatArray, noise: float, first: int, count: int) -> IntArray:
    """Points to measure, each the one that most reduces the total variance of all points: a greedy I-optimal design.

    By how much a measurement reduces the variance does not depend on its value, so all points are chosen before the
    first measurement (Cohn 1996). A design of fewer points is the beginning of one of more.

    Args:
        covariance: Of all points before any is measured, shape ``(n, n)``.
        noise: Variance of a measurement.
        first: The point to begin with.
        count: How many, at most ``n``.

    Returns:
        Different points, shape ``(count,)``.

    Of two correlated points and an independent one, the independent one comes second.

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
