"""The grey boxes of one workload: one for time, one for power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.grey_box import POWER, TIME, GreyBox, Points
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.predictor import Prediction
from lightning_powertrain.prediction.time_model import TimeModel
from lightning_powertrain.profiling import Profile

# Another workload's parameters are expected this much closer to the reference's than to those of no workload at all.
_LIKE_REFERENCE = 0.5
_D = 1e-2
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
        points, prior = _time_points(layout, modes, borrowed), TimeModel(layout).prior
        if reference is not None:
            prior = prior.tightened(reference.time.parameters, _LIKE_REFERENCE)
        time = GreyBox(points, log_time, prior.centred_on(points.curve, log_time), TIME, seed, None if reference is None else reference.time)
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
            longer = _power_points(layout, modes, self.time, log_time + time_spread, borrowed)
            log_power, power_spread = self.power.predict(points)
            power_error = self.power.error
            power_spread = np.hypot(power_spread, longer.curve(self.power.parameters) - points.curve(self.power.parameters))
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


def _fit_power(
    profile: Profile,
    layout: KnobLayout,
    seed: int,
    time: GreyBox,
    borrowed: Residuals,
    reference: WorkloadModel | None,
) -> GreyBox:
    points, prior = _power_points(layout, profile.modes, time, np.log(profile.time_ms), borrowed), PowerModel(layout).prior
    log_power = np.log(profile.power_w)
    if reference is not None and reference.power is not None:
        prior = prior.tightened(reference.power.parameters, _LIKE_REFERENCE)
    # On the board of the reference only the activity differs, and that is in the terms already: the scale stays.
    if reference is None or reference.power is None or reference.layout != layout:
        prior = prior.centred_on(points.curve, log_power)
    return GreyBox(points, log_power, prior, POWER, seed, None if reference is None else reference.power)


def _time_points(layout: KnobLayout, modes: IntArray, borrowed: Residuals) -> Points:
    return Points(TimeModel(layout).curve(modes), layout.logs(modes), borrowed.time)


def _power_points(layout: KnobLayout, modes: IntArray, time: GreyBox, log_time: FloatArray, borrowed: Residuals) -> Points:
    model, power = TimeModel(layout), PowerModel(layout)
    root = time.root

    def unsure(parameters: FloatArray) -> FloatArray:
        curves = [
            power.curve(modes, model.activity(modes, time.parameters + _D * shift, log_time))(parameters)
            for shift in (np.zeros(len(root)), *root.T)
        ]
        return np.stack([(curve - curves[0]) / _D for curve in curves[1:]], axis=1)

    activity = model.activity(modes, time.parameters, log_time)
    return Points(power.curve(modes, activity), layout.logs(modes), borrowed.power, unsure)
