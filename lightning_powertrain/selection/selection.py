"""The choice: one mode out of all predicted ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection.objective import NoWorse, Objective

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """The chosen mode, what is expected of it, and what was measured once it was set.

    Args:
        mode: The chosen mode.
        objective: What it was chosen for.
        time_ms: Expected time of a minibatch.
        power_w: Expected power.
        excess: How far the expected figures are beyond the budget, in the objective's unit; 0 when it is met.
        start: The mode that the job started in, as measured.
        time_error: Relative error to expect of ``time_ms``, as the predictor knows it; NaN if it does not.
        power_error: Likewise of ``power_w``.
        measured: The chosen mode as measured; None until then.
    """

    mode: PowerMode
    objective: Objective
    time_ms: float
    power_w: float
    excess: float
    start: Measurement
    time_error: float = float("nan")
    power_error: float = float("nan")
    measured: Measurement | None = None

    @property
    def measured_excess(self) -> float | None:
        """How far the measured figures are beyond the budget, in the objective's unit; None until measured."""
        if self.measured is None:
            return None
        return float(self.objective.excess(*_pair(self.measured))[0])

    @property
    def cost(self) -> float:
        """What the objective makes small: time (ms), power (W), energy (mJ) or energy-delay product (mJ ms)."""
        return float(self.objective.cost(np.array([self.time_ms]), np.array([self.power_w]))[0])

    def with_measured(self, measured: Measurement) -> Selection:
        """This selection and what was measured of it."""
        return replace(self, measured=measured)


def best_index(objective: Objective, time_ms: FloatArray, power_w: FloatArray) -> int:
    """Index of the best mode: of least cost within the budget, or else the one that misses it by least.

    Ties go to the mode of less energy, then to the first.
    """
    excess = objective.excess(time_ms, power_w)
    # Where nothing meets the budget, the least excess itself becomes the bound.
    candidates = np.flatnonzero(excess <= excess.min())
    times, powers = time_ms[candidates], power_w[candidates]
    order = np.lexsort((times * powers, objective.cost(times, powers)))
    return int(candidates[order[0]])


def select(
    objective: Objective | None, modes: ModeSpace, prediction: Prediction, profile: Profile, start: Measurement
) -> Selection:
    """Choose the best mode of a space, or the one that the job started in, which need not be in it.

    Modes that were measured count with what was measured; all others with what is predicted. One in which the board
    throttles is not chosen unless there is no other.

    Args:
        objective: What to choose for; None means no worse than ``start``.
        modes: All modes.
        prediction: Prediction of every mode, in the order of ``modes.array``.
        profile: What was measured.
        start: The measured mode that the job started in.
    """
    objective = objective or NoWorse(start.time_ms, start.power_w)
    time_ms, power_w = known_costs(modes, prediction, profile.with_measurements([start]))
    time_ms, power_w = np.append(time_ms, start.time_ms), np.append(power_w, start.power_w)
    allowed = np.flatnonzero(_allowed(modes, profile, start))
    best = int(allowed[best_index(objective, time_ms[allowed], power_w[allowed])])
    mode = modes.mode(best) if best < len(modes) else start.mode
    return Selection(
        mode=mode,
        objective=objective,
        time_ms=float(time_ms[best]),
        power_w=float(power_w[best]),
        excess=float(objective.excess(time_ms[[best]], power_w[[best]])[0]),
        start=start,
        time_error=prediction.time_error,
        power_error=prediction.power_error,
        measured=next((known for known in (start, *reversed(profile.measurements)) if known.mode == mode), None),
    )


def select_measured(objective: Objective | None, profile: Profile, start: Measurement) -> Selection:
    """Choose the best of the modes that were measured; arguments as for :func:`select`."""
    objective = objective or NoWorse(start.time_ms, start.power_w)
    known = [each for each in (start, *profile.measurements) if each.mode not in profile.throttling_modes] or [start]
    time_ms = np.array([measurement.time_ms for measurement in known])
    power_w = np.array([measurement.power_w for measurement in known])
    best = known[best_index(objective, time_ms, power_w)]
    excess = float(objective.excess(*_pair(best))[0])
    return Selection(best.mode, objective, best.time_ms, best.power_w, excess, start, measured=best)


def known_costs(modes: ModeSpace, prediction: Prediction, profile: Profile) -> tuple[FloatArray, FloatArray]:
    """Times (ms) and powers (W) of all modes: measured where there is a measurement, predicted elsewhere."""
    time_ms, power_w = prediction.time_ms.copy(), prediction.power_w.copy()
    for measurement in profile.measurements:
        if measurement.mode in modes:
            index = modes.index(measurement.mode)
            time_ms[index], power_w[index] = measurement.time_ms, measurement.power_w
    return time_ms, power_w


def _allowed(modes: ModeSpace, profile: Profile, start: Measurement) -> npt.NDArray[np.bool_]:
    """Which modes, and last the start, may be chosen: those in which the board does not throttle, or else all."""
    allowed = np.ones(len(modes) + 1, dtype=np.bool_)
    for mode in profile.throttling_modes:
        if mode in modes:
            allowed[modes.index(mode)] = False
    allowed[-1] = start.mode not in profile.throttling_modes
    return allowed if allowed.any() else ~allowed


def _pair(measurement: Measurement) -> tuple[FloatArray, FloatArray]:
    return np.array([measurement.time_ms]), np.array([measurement.power_w])
