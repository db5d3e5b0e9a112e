"""A small physical model of board power: a positive sum of what domains draw at rest and under activity."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve, Prior
from lightning_powertrain.prediction.time_model import Activity

# Coefficient at the highest clocks, relative to each other, and spread of its logarithm.
_BOARD = ((0.15, 0.5),)
_CLUSTER = ((0.03, 0.7), (0.05, 0.7), (0.05, 0.8), (0.05, 0.9), (0.05, 0.9), (0.08, 0.9), (0.08, 0.9))
_GPU_AND_MEMORY = ((0.08, 0.7), (0.08, 0.7), (0.2, 0.9), (0.25, 0.9), (0.05, 0.7), (0.06, 0.9))
_EXPONENT_OF_OTHER = (0.0, 0.5)
_TYPICAL_WORKERS = 4.0


@dataclass(frozen=True)
class PowerModel:
    """Power of a board that is busy in a known way.

    Power is a sum of terms with positive coefficients: a constant; online cores, alone and times ``c`` and ``c^3``; the
    main thread and the workers, each times ``c`` and ``c^3``; the GPU, alone and while busy, each times ``g`` and
    ``g^3``; the memory clock, and memory traffic. Dynamic power is ``C V^2 f``: where the voltage stands still it grows
    with the clock, where it grows in step with the clock's cube, and in between as a sum of both.

    Args:
        layout: What the columns of modes act on.
    """

    layout: KnobLayout

    @property
    def prior(self) -> Prior:
        """Prior of the parameters without a reference."""
        terms = (*_BOARD, *_CLUSTER * len(self.layout.clusters), *_GPU_AND_MEMORY)
        others = len(self.layout.columns("other"))
        mean, spread = _EXPONENT_OF_OTHER
        return Prior(
            np.array([log(coefficient) for coefficient, _ in terms] + [mean] * others),
            np.array([term_spread for _, term_spread in terms] + [spread] * others),
            np.array([True] * len(terms) + [False] * others),
        )

    def curve(self, modes: IntArray, activity: Activity) -> Curve:
        """Logarithm of the power in ``modes`` as a function of the parameters, for one activity or for several."""
        terms = np.stack(np.broadcast_arrays(*self._terms(modes, activity)))
        others = self.layout.log_others(modes)

        def log_power(parameters: FloatArray) -> FloatArray:
            coefficients = np.exp(np.clip(parameters[..., : len(terms)], -50, 50))
            log_sum = np.log(np.tensordot(coefficients, terms, axes=1))
            return np.asarray(log_sum + parameters[..., len(terms) :] @ others, dtype=np.float64)

        return log_power

    def _terms(self, modes: IntArray, activity: Activity) -> list[FloatArray]:
        layout = self.layout
        terms = [np.ones(len(modes))]
        online = np.maximum(sum(layout.count(modes, cores) for cores, _ in layout.clusters), 1.0)
        for cores, clock in layout.clusters:
            count, c = layout.count(modes, cores), layout.relative(modes, clock)
            host, loader = activity.host * count / online, activity.loader * count / online / _TYPICAL_WORKERS
            present = count / layout.most_cores
            terms += [present, present * c, present * c**3, host * c, host * c**3, loader * c, loader * c**3]
        g, m = layout.relative_to_role(modes, "gpu"), layout.relative_to_role(modes, "emc")
        return [*terms, g, g**3, activity.gpu * g, activity.gpu * g**3, m, activity.memory * m]
