"""The grey boxes of one workload: one for time, one for power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.design import greedy_design
from lightning_powertrain.prediction.grey_box import POWER, TIME, GreyBox, Points, Target, before_measuring
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve, Prior
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.predictor import Prediction
from lightning_powertrain.prediction.time_model import TimeModel
from lightning_powertrain.profiling import Profile

# Another workload's parameters, and the settings of its process, are expected this much closer to the reference's than
# to those of no workload at all.
_LIKE_REFERENCE = 0.5
# By how many standard deviations to change times' parameters, to see what power does.
_STEP = 1e-2
# Half a 90 % interval, in standard deviations.
_HALF_WIDTH = 1.645


@dataclass(frozen=True, eq=False)
class Residuals:
    """What physics leaves over in some modes, in logarithms: of time, and of power if that was measured."""

    time: FloatArray | None = None
    power: FloatArray | None = None


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
        cls, profile: Profile, layout: KnobLayout, seed: int, reference: WorkloadModel | None = None
    ) -> WorkloadModel:
        """Fit to a profile, close to a reference if there is one."""
        modes, log_time = profile.modes, np.log(profile.time_ms)
        borrowed = Residuals() if reference is None else reference.residuals(layout, modes)
        points, (prior, target) = _time_points(layout, modes, borrowed), _expected_of_time(layout, reference)
        time = GreyBox(points, log_time, prior.centred_on(points.curve, log_time), target, seed)
        if not np.isfinite(profile.power_w).all():
            return cls(layout, time, None)
        return cls(layout, time, _fit_power(profile, layout, seed, time, borrowed, reference))

    def residuals(self, layout: KnobLayout, modes: IntArray) -> Residuals:
        """What the physics of this workload leaves over in modes of a board."""
        points = _time_points(layout, modes, Residuals())
        time = self.time.residual(points)
        if self.power is None:
            return Residuals(time)
        log_time = points.curve(self.time.parameters) + time
        return Residuals(time, self.power.residual(_power_points(layout, modes, self.time, log_time, Residuals())))

    def expected_time_ms(self, layout: KnobLayout, modes: IntArray) -> FloatArray:
        """Times alone, which cost less than a whole prediction, shape ``(n,)``."""
        points = _time_points(layout, modes, Residuals())
        return np.asarray(np.exp(points.curve(self.time.parameters) + self.time.residual(points)), dtype=np.float64)

    def predict(self, layout: KnobLayout, modes: IntArray, borrowed: Residuals) -> Prediction:
        """Times, powers and their 90 % intervals; powers are NaN if power was not measured."""
        log_time, time_spread = self.time.predict(_time_points(layout, modes, borrowed))
        log_power = power_spread = np.full(len(modes), np.nan)
        power_error = float("nan")
        if self.power is not None:
            points = _power_points(layout, modes, self.time, log_time, borrowed)
            log_power, power_spread = self.power.predict(points)
            slower = _power_points(layout, modes, self.time, log_time + time_spread, borrowed)
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
    layout: KnobLayout, modes: IntArray, count: int, seed: int, reference: WorkloadModel | None
) -> IntArray:
    """Rows of ``count`` modes whose times tell most about those of all ``modes``, row 0 first."""
    borrowed = Residuals() if reference is None else reference.residuals(layout, modes)
    points = _time_points(layout, modes, borrowed)
    covariance, noise = before_measuring(points, *_expected_of_time(layout, reference), seed)
    return greedy_design(covariance, noise, 0, count)


def _expected_of_time(layout: KnobLayout, reference: WorkloadModel | None) -> tuple[Prior, Target]:
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
    reference: WorkloadModel | None,
) -> GreyBox:
    log_time, log_power = np.log(profile.time_ms), np.log(profile.power_w)
    points = _power_points(layout, profile.modes, time, log_time, borrowed)
    prior, target = PowerModel(layout).prior, POWER
    if reference is not None and reference.power is not None:
        prior = prior.tightened(reference.power.parameters, _LIKE_REFERENCE)
        target = target.tightened(reference.power, _LIKE_REFERENCE)
    # On the board of the reference only the activity differs, and that is in the terms already: the scale stays.
    if reference is None or reference.power is None or reference.layout != layout:
        prior = prior.centred_on(points.curve, log_power)
    return GreyBox(points, log_power, prior, target, seed)


def _time_points(layout: KnobLayout, modes: IntArray, borrowed: Residuals) -> Points:
    return Points(TimeModel(layout).curve(modes), layout.logs(modes), borrowed.time)


def _power_points(
    layout: KnobLayout, modes: IntArray, time: GreyBox, log_time: FloatArray, borrowed: Residuals
) -> Points:
    """Modes whose time is known, measured or predicted: which stage it is spent in stays uncertain."""
    time_model, power_model = TimeModel(layout), PowerModel(layout)

    def curve_for(time_parameters: FloatArray) -> Curve:
        return power_model.curve(modes, time_model.activity(modes, time_parameters, log_time))

    curve = curve_for(time.parameters)

    def unsure(parameters: FloatArray) -> FloatArray:
        deviations = [curve_for(time.parameters + _STEP * doubt)(parameters) for doubt in time.doubt.T]
        return (np.stack(deviations, axis=1) - curve(parameters)[:, None]) / _STEP

    return Points(curve, layout.logs(modes), borrowed.power, unsure)
