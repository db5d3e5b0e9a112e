"""The fitted parameters of a reference workload from which other grey boxes start: a few arrays, easy to save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.kernel import Levels
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import slope_along
from lightning_powertrain.prediction.points import Points, power_points, time_points
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.time_model import TimeModel

_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class ReferenceGreyBox:
    """A fitted grey box without what it was fitted to.

    Args:
        parameters: Of the physical curve, shape ``(p,)``.
        shift: How the process moves the parameters of the linearised curve, shape ``(p,)``.
        posterior_root: A square root of the posterior covariance of the parameters: turns independent standard normal
            numbers into deviations of them, shape ``(p, p)``.
        hyperparameters: Of the process: logarithms of a length scale for each knob, of the amplitude, of the noise.
        inputs: Modes that it was fitted to, as logarithms of the knobs, shape ``(n, knobs)``.
        dual_coefficients: Weights of the kernels of those modes, shape ``(n,)``.
        nuisance_weights: Weights of what else was uncertain, shape ``(k,)``.
    """

    parameters: FloatArray
    shift: FloatArray
    posterior_root: FloatArray
    hyperparameters: FloatArray
    inputs: FloatArray
    dual_coefficients: FloatArray
    nuisance_weights: FloatArray

    def residual(self, points: Points) -> FloatArray:
        """What the physical curve leaves over, as far as known, shape ``(n,)``."""
        shifted = slope_along(points.curve, self.parameters, self.shift)
        local = Levels(points.inputs).covariance(self.inputs, self.hyperparameters) @ self.dual_coefficients
        if points.nuisance_slopes is None:
            return np.asarray(shifted + local, dtype=np.float64)
        return np.asarray(
            shifted + local + points.nuisance_slopes(self.parameters) @ self.nuisance_weights, dtype=np.float64
        )


@dataclass(frozen=True, eq=False)
class Residuals:
    """What physics leaves over in some modes, in logarithms: of time, and of power if that was measured."""

    time: FloatArray | None = None
    power: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """Time and power of a reference workload.

    Args:
        layout: Of the board that it was measured on.
        time: Of the time of a minibatch.
        power: Of the power; None if power was not measured.
    """

    layout: KnobLayout
    time: ReferenceGreyBox
    power: ReferenceGreyBox | None

    def residuals(self, layout: KnobLayout, modes: IntArray) -> Residuals:
        """What the physics of this workload leaves over in modes of a board."""
        blocks = [
            self._residuals(layout, modes[start : start + _BLOCK]) for start in range(0, max(1, len(modes)), _BLOCK)
        ]
        time, power = zip(*blocks)
        return Residuals(np.concatenate(time), None if self.power is None else np.concatenate(power))

    def expected_time_ms(self, layout: KnobLayout, modes: IntArray) -> FloatArray:
        """Times alone, which cost less, shape ``(n,)``."""
        points = time_points(layout, modes)
        return np.asarray(np.exp(points.curve(self.time.parameters) + self.time.residual(points)), dtype=np.float64)

    def _residuals(self, layout: KnobLayout, modes: IntArray) -> tuple[FloatArray, FloatArray | None]:
        points = time_points(layout, modes)
        time = self.time.residual(points)
        if self.power is None:
            return time, None
        log_time = points.curve(self.time.parameters) + time
        of_power = power_points(layout, modes, self.time.parameters, self.time.posterior_root, log_time)
        return time, self.power.residual(of_power)

    def tensors(self) -> dict[str, FloatArray]:
        """All arrays by name, such as ``time.parameters``."""
        learned = {"time": self.time, "power": self.power}
        return {
            f"{target}.{name.name}": np.ascontiguousarray(array)
            for target, each in learned.items()
            if each is not None
            for name, array in zip(fields(each), astuple(each))
        }

    @classmethod
    def from_tensors(cls, layout: KnobLayout, tensors: Mapping[str, npt.NDArray[Any]]) -> ReferenceModel:
        """What :meth:`tensors` gave.

        Raises:
            ValueError: If they are not those of a model of such knobs.
        """
        counts = {"time": len(TimeModel(layout).prior.mean), "power": len(PowerModel(layout).prior.mean)}
        nuisances = {"time": 0, "power": counts["time"]}
        parts: dict[str, ReferenceGreyBox] = {}
        for target in counts if any(name.startswith("power.") for name in tensors) else ("time",):
            rows, knobs, count = len(tensors[f"{target}.dual_coefficients"]), len(layout.knobs), counts[target]
            shapes = ((count,), (count,), (count, count), (knobs + 2,), (rows, knobs), (rows,), (nuisances[target],))
            arrays = [tensors[f"{target}.{each.name}"] for each in fields(ReferenceGreyBox)]
            if [(str(array.dtype), array.shape) for array in arrays] != [("float64", shape) for shape in shapes]:
                raise ValueError(f"its grey box of {target} is not one of {count} parameters and {knobs} knobs")
            parts[target] = ReferenceGreyBox(*arrays)
        if len(tensors) != len(parts) * len(fields(ReferenceGreyBox)):
            raise ValueError(
                f"its grey box has other tensors than {', '.join(each.name for each in fields(ReferenceGreyBox))}"
            )
        return cls(layout, parts["time"], parts.get("power"))
