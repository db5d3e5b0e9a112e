"""The grey box and its parts: the fit, the Gaussian process, and both together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, load_board
from lightning_powertrain.prediction.gaussian_process import GaussianProcess
from lightning_powertrain.prediction.grey_box import GreyBox, Points, Target
from lightning_powertrain.prediction.kernel import KernelPrior
from lightning_powertrain.prediction.knob_layout import KnobLayout
from lightning_powertrain.prediction.map_fit import FloatArray, Prior, fit_map, with_jacobian
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.reference import DEFAULT_REFERENCE, load_reference
from lightning_powertrain.prediction.time_model import TimeModel

CLOCKS = np.linspace(0.2, 1.0, 12)
PRIOR = Prior(np.zeros(2), np.full(2, 5.0), np.array([True, True]))


def two_terms(parameters: FloatArray) -> FloatArray:
    """Logarithm of ``a + b / clock``."""
    a, b = np.exp(parameters[..., :1]), np.exp(parameters[..., 1:])
    return np.asarray(np.log(a + b / CLOCKS))


def test_fit_finds_the_parameters_and_ignores_one_wild_value() -> None:
    truth = np.log([0.3, 2.0])
    values = two_terms(truth)
    values[4] += 1.0
    fitted = fit_map(two_terms, values, PRIOR, PRIOR.starts(4, np.random.default_rng(0)), 0.01)
    np.testing.assert_allclose(fitted, truth, atol=0.05)


def test_without_information_the_prior_decides() -> None:
    prior = Prior(np.array([0.5, -0.5]), np.full(2, 1e-4), np.array([True, True]))
    fitted = fit_map(two_terms, two_terms(np.zeros(2)), prior, prior.starts(1, np.random.default_rng(0)), 1.0)
    np.testing.assert_allclose(fitted, prior.mean, atol=1e-5)


def test_prior_is_centred_by_scales_alone() -> None:
    curve = TimeModel(KnobLayout(load_board("orin-agx-64gb").knobs)).curve(load_board("orin-agx-64gb").modes.array[:50])
    prior = TimeModel(KnobLayout(load_board("orin-agx-64gb").knobs)).prior
    centred = prior.centred_on(curve, curve(prior.mean) + np.log(7.0))
    np.testing.assert_allclose((centred.mean - prior.mean)[prior.scales], np.log(7.0))
    np.testing.assert_allclose((centred.mean - prior.mean)[~prior.scales], 0.0)
    np.testing.assert_allclose(curve(centred.mean), curve(prior.mean) + np.log(7.0))


def test_jacobian_is_the_exact_one() -> None:
    _, slopes = with_jacobian(two_terms, np.log([0.3, 2.0]))
    share = 0.3 / (0.3 + 2.0 / CLOCKS)
    np.testing.assert_allclose(slopes, np.column_stack([share, 1 - share]), atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["orin-agx-64gb", "tx2"]))
def test_higher_clocks_never_take_more_time_or_less_power_at_equal_activity(seed: int, board: str) -> None:
    knobs = tuple(knob if knob.values else Knob(knob.name, knob.role, (1, 2, 4)) for knob in load_board(board).knobs)
    layout = KnobLayout(knobs)
    rng = np.random.default_rng(seed)
    low = np.array([[rng.choice(knob.values) for knob in knobs]])
    column = int(rng.integers(len(knobs)))
    high = low.copy()
    high[0, column] = knobs[column].values[-1]
    model, power = TimeModel(layout), PowerModel(layout)
    if knobs[column].role != "cores":
        parameters = model.prior.starts(2, rng)[1]
        assert model.curve(high)(parameters)[0] <= model.curve(low)(parameters)[0] + 1e-9
        activity = model.activity(low, parameters, model.curve(low)(parameters))
        watts = power.prior.starts(2, rng)[1]
        assert power.curve(high, activity)(watts)[0] >= power.curve(low, activity)(watts)[0] - 1e-9


def smooth(inputs: FloatArray) -> FloatArray:
    return np.asarray(0.1 * np.sin(2 * inputs[:, 0]) * np.cos(inputs[:, 1]))


def process(count: int = 60, noise: float = 0.005) -> tuple[GaussianProcess, FloatArray, FloatArray]:
    rng = np.random.default_rng(1)
    inputs = rng.uniform(-2, 0, (count, 2))
    values = smooth(inputs) + noise * rng.standard_normal(count)
    return GaussianProcess(inputs, np.zeros((count, 1)), values, KernelPrior(), 0), inputs, values


@pytest.mark.parametrize("count", [60, 150])
def test_process_learns_a_smooth_function_and_knows_how_well(count: int) -> None:
    gaussian, _, _ = process(count)
    inputs = np.random.default_rng(2).uniform(-2, 0, (500, 2))
    mean, variance = gaussian.predict(inputs, np.zeros((500, 1)))
    errors = mean - smooth(inputs)
    assert np.abs(errors).mean() < 0.006
    assert np.mean(np.abs(errors) < 1.645 * np.sqrt(variance)) > 0.9


def test_left_out_residuals_are_those_of_a_process_without_the_point() -> None:
    rng = np.random.default_rng(1)
    inputs, features = rng.uniform(-2, 0, (12, 2)), rng.standard_normal((12, 1))
    values = 0.1 * rng.standard_normal(12)
    fixed = KernelPrior(lengths=(0.8, 1e-9), amplitude=(0.1, 1e-9), noise=(0.05, 1e-9))
    whole = GaussianProcess(inputs, features, values, fixed, 0)
    rest = GaussianProcess(inputs[1:], features[1:], values[1:], fixed, 0)
    assert np.abs(whole.left_out_z).max() < 2.5, "no point may be distrusted in this test"
    mean, variance = rest.predict(inputs[:1], features[:1])
    assert whole.left_out_residuals[0] == pytest.approx(values[0] - mean[0], abs=1e-6)
    assert whole.left_out_z[0] == pytest.approx((values[0] - mean[0]) / np.sqrt(variance[0]), rel=1e-5)


def test_weights_are_as_uncertain_as_in_a_linear_regression() -> None:
    rng = np.random.default_rng(1)
    inputs, features = rng.uniform(-2, 0, (12, 2)), rng.standard_normal((12, 3))
    plain = KernelPrior(lengths=(0.8, 1e-9), amplitude=(1e-6, 1e-9), noise=(0.5, 1e-9))
    gaussian = GaussianProcess(inputs, features, features @ rng.standard_normal(3), plain, 0)
    expected = np.linalg.inv(np.eye(3) + features.T @ features / 0.5**2)
    np.testing.assert_allclose(gaussian.weight_covariance, expected, atol=1e-8)


def test_prior_of_hyperparameters_moves_to_those_of_another_process() -> None:
    hyperparameters = np.log([0.5, 2.0, 0.04, 0.01])
    tightened = KernelPrior().tightened(hyperparameters, 0.5)
    np.testing.assert_allclose(tightened.mean(2), hyperparameters)
    np.testing.assert_allclose(tightened.spread(2), 0.5 * KernelPrior().spread(2))


def test_doubt_of_a_reference_that_leaves_much_over_does_not_narrow_intervals() -> None:
    model = load_reference(DEFAULT_REFERENCE).model
    assert model is not None
    large = replace(model.time, hyperparameters=np.array([0.0, 0.0, 0.0, 0.0, np.log(0.3), np.log(0.001)]))
    target = Target(0.01, 1, KernelPrior(amplitude=(0.08, 0.6), noise=(0.016, 0.5))).tightened(large, 0.7)
    amplitude, noise = np.exp(target.kernel_for(9.0).mean(4)[-2:])
    np.testing.assert_allclose([amplitude, noise], [0.3, 0.016])


@pytest.mark.parametrize(("doubt", "share"), [(0.1, 0.0), (1.3, 0.5), (1.8, 1.0), (9.0, 1.0)])
def test_a_reference_in_doubt_says_less_of_what_physics_leaves_over(doubt: float, share: float) -> None:
    own, of_reference = KernelPrior(amplitude=(0.08, 0.6)), KernelPrior((np.array([0.3, 2.0]), 0.4), (0.02, 0.3))
    kernel = Target(0.01, 1, of_reference, freed=own).kernel_for(doubt)
    np.testing.assert_allclose(kernel.mean(2), (1 - share) * of_reference.mean(2) + share * own.mean(2))
    of_both = np.log(of_reference.spread(2)), np.log(own.spread(2))
    np.testing.assert_allclose(np.log(kernel.spread(2)), (1 - share) * of_both[0] + share * of_both[1])
    assert Target(0.01, 1, of_reference).kernel_for(doubt) is of_reference


def test_what_is_unsure_widens_predictions_where_it_matters_and_is_learnt() -> None:
    clocks = np.column_stack([np.log(CLOCKS)])
    values = two_terms(np.log([0.3, 2.0]))
    tilt = np.linspace(0.0, 0.3, 12)[:, None]
    target = Target(0.01, 1, KernelPrior(amplitude=(0.001, 0.1), noise=(0.005, 0.1)))

    def spread(rows: slice, nuisance_slopes: FloatArray | None) -> FloatArray:
        def points(part: slice) -> Points:
            slopes = None if nuisance_slopes is None else nuisance_slopes[part]
            return Points(
                lambda parameters: two_terms(parameters)[..., part],
                clocks[part],
                nuisance_slopes=None if slopes is None else lambda _: slopes,
            )

        box = GreyBox(points(rows), values[rows], PRIOR, target, 0, has_reference=False)
        return box.predict(points(slice(None)))[1]

    few, many = slice(0, 6), slice(None)
    assert spread(few, tilt)[-1] > 1.5 * spread(few, None)[-1]
    assert spread(many, tilt)[-1] < 1.2 * spread(many, None)[-1]


def test_a_slower_minibatch_keeps_the_board_less_busy() -> None:
    orin = load_board("orin-agx-64gb")
    modes, model = orin.modes.array[::997], TimeModel(KnobLayout(orin.knobs))
    parameters = model.prior.mean
    physics = model.curve(modes)(parameters)
    as_thought, slower = (model.activity(modes, parameters, physics + extra) for extra in (0.0, np.log(2.0)))
    for name in ("gpu", "compute", "traffic", "loader"):
        np.testing.assert_allclose(getattr(slower, name), getattr(as_thought, name) / 2)
    hurried = model.activity(modes, parameters, physics - 10.0)
    assert max(hurried.gpu.max(), hurried.compute.max(), hurried.traffic.max(), hurried.host.max()) <= 1.0


def test_far_away_the_process_knows_nothing() -> None:
    gaussian, _, _ = process()
    mean, variance = gaussian.predict(np.full((1, 2), 50.0), np.zeros((1, 1)))
    assert mean[0] == pytest.approx(0.0, abs=1e-6)
    assert variance[0] > 0.03**2


def test_no_points_no_predictions() -> None:
    gaussian, _, _ = process()
    mean, variance = gaussian.predict(np.empty((0, 2)), np.empty((0, 1)))
    assert len(mean) == len(variance) == 0
