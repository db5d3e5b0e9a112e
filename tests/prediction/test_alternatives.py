from __future__ import annotations

import numpy as np

from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction.alternatives import alternatives
from lightning_powertrain.prediction.grey_box import GreyBox, Points, Target
from lightning_powertrain.prediction.grey_box_transfer import GreyBoxTransfer
from lightning_powertrain.prediction.kernel import KernelPrior
from lightning_powertrain.prediction.map_fit import Curve, FloatArray, Prior, fit_map
from lightning_powertrain.prediction.reference import DEFAULT_REFERENCE, load_reference
from lightning_powertrain.simulation import simulated_board

SCATTER = np.full(5, 0.02)
GROUPS = np.eye(2)
# Clocks of a GPU and of a CPU: the GPU takes longer in every mode that was measured.
MEASURED = np.array([[0.2, 1.0], [0.3, 1.0], [0.4, 0.8], [0.5, 0.5], [0.5, 1.0]])
SLOW_CPU = np.array([[1.0, 0.2]])
TRUTH = np.log([1.0, 0.1])
# The prior expects a CPU that takes ten times as long as it does.
PRIOR = Prior(np.log([1.0, 1.0]), np.array([0.8, 0.8]), np.array([True, True]))


def slowest(clocks: FloatArray) -> Curve:
    """Logarithm of the time of two stages that overlap."""

    def log_time(parameters: FloatArray) -> FloatArray:
        times = np.exp(parameters[..., None, :]) / clocks
        return np.asarray(np.log((times**20).sum(axis=-1)) / 20, dtype=np.float64)

    return log_time


def mixture(parameters: FloatArray) -> FloatArray:
    return np.asarray(parameters @ np.array([[1.0, 0.5], [0.2, 1.0], [1.0, -1.0], [0.3, 0.3], [0.0, 0.1]]).T)


def fitted(curve: Curve) -> FloatArray:
    return fit_map(curve, curve(TRUTH), PRIOR, PRIOR.mean[None], SCATTER)


def test_a_stage_that_only_seems_to_be_measured_may_be_shorter() -> None:
    curve = slowest(MEASURED)
    parameters = fitted(curve)
    assert parameters[1] > TRUTH[1] + 1.0, "the prior must be wrong in this test"
    found, weights = alternatives(curve, curve(TRUTH), PRIOR, parameters, SCATTER, GROUPS)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, 1], parameters[1] - np.log(2.0))
    np.testing.assert_allclose(found[0, 0], TRUTH[0], atol=0.02)
    assert 0.2 < weights[0] < 1.0


def test_where_the_posterior_is_normal_there_are_none() -> None:
    for rows in (slice(0, 5), slice(4, 5)):

        def curve(parameters: FloatArray, rows: slice = rows) -> FloatArray:
            return mixture(parameters)[..., rows]

        parameters = fit_map(curve, curve(TRUTH), PRIOR, PRIOR.mean[None], 0.2)
        found, weights = alternatives(curve, curve(TRUTH), PRIOR, parameters, np.full(1, 0.2), GROUPS)
        assert len(found) == len(weights) == 0


def test_an_interval_spans_what_the_alternatives_predict() -> None:
    target = Target(0.02, 1, KernelPrior(amplitude=(0.001, 0.1), noise=(0.01, 0.1)))

    def spread(groups: FloatArray | None) -> tuple[float, float]:
        box = GreyBox(
            Points(slowest(MEASURED), np.log(MEASURED), groups=groups),
            slowest(MEASURED)(TRUTH),
            PRIOR,
            target,
            seed=0,
            has_reference=False,
        )
        mean, deviation = box.predict(Points(slowest(SLOW_CPU), np.log(SLOW_CPU)))
        return float(mean[0]), float(deviation[0])

    truth = slowest(SLOW_CPU)(TRUTH)[0]
    mean, narrow = spread(None)
    assert mean - 1.645 * narrow > truth
    mean, wide = spread(GROUPS)
    assert mean - 1.645 * wide < mean - np.log(1.5)
    assert wide > 1.5 * narrow


def test_work_of_the_cpu_that_nothing_waited_for_leaves_power_open() -> None:
    """A search measured these modes of BERT under a limit of 39 W, the last one because it was predicted at 32 W."""
    board = simulated_board("orin-agx-64gb")
    measured = (
        *((2, 268800, 114750000, 204000000), (2, 576000, 114750000, 204000000), (2, 268800, 318750000, 204000000)),
        *((2, 268800, 114750000, 665600000), (2, 422400, 624750000, 665600000), (2, 729600, 1032750000, 665600000)),
        *((2, 883200, 1032750000, 2133000000), (2, 883200, 1032750000, 3199000000)),
        *((4, 576000, 1032750000, 3199000000), (6, 422400, 1032750000, 3199000000)),
    )
    modes, next_mode = np.array(measured), np.array([[2, 576000, 1134750000, 3199000000]])
    predictor = GreyBoxTransfer(load_reference(DEFAULT_REFERENCE))
    predictor.fit(simulated_profile(board, "bert-base", modes, with_signals=True))
    truth, prediction = simulated_profile(board, "bert-base", next_mode), predictor.predict(next_mode)
    assert prediction.power_low_w <= truth.power_w <= prediction.power_high_w
    assert prediction.time_low_ms <= truth.time_ms <= prediction.time_high_ms
