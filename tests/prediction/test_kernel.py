"""Kernels from tables of levels, and the posterior of many hyperparameters at once, against the plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain.prediction.hyperparameters import JITTER, HyperparameterPosterior
from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, Levels

KNOBS = 3


def points(count: int, seed: int) -> FloatArray:
    """Modes of three knobs that take few values each."""
    return np.log(np.random.default_rng(seed).integers(1, 6, size=(count, KNOBS)) / 5.0)


def covariance_of_two(left: FloatArray, right: FloatArray, hyperparameters: FloatArray) -> float:
    """The formula, for two points: a quarter of the variance goes with each knob by itself."""
    distances = np.sqrt(3) * np.abs(left - right) / np.exp(hyperparameters[:KNOBS])
    matern = (1 + distances) * np.exp(-distances)
    return float(np.exp(2 * hyperparameters[KNOBS]) * (0.75 * np.prod(matern) + 0.25 * np.mean(matern)))


@pytest.mark.parametrize("seed", range(3))
def test_covariance_from_levels_is_that_of_the_points(seed: int) -> None:
    left, right = points(70, seed), points(11, seed + 10)
    hyperparameters = np.random.default_rng(seed).normal(-0.5, 0.5, KNOBS + 2)
    expected = [[covariance_of_two(one, other, hyperparameters) for other in right] for one in left]
    np.testing.assert_allclose(Levels(left).covariance(right, hyperparameters), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_posterior_of_many_hyperparameters_is_that_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inputs, features = points(20, seed), rng.standard_normal((20, 2))
    values, weights = rng.standard_normal(20), rng.uniform(0.2, 1.0, 20)
    prior = KernelPrior()
    hyperparameters = prior.mean(KNOBS) + prior.spread(KNOBS) * rng.standard_normal((7, KNOBS + 2))

    def log_density(each: FloatArray) -> float:
        """Of the values under a normal distribution, and of the hyperparameters under their prior."""
        kernel = np.array([[covariance_of_two(one, other, each) for other in inputs] for one in inputs])
        total = features @ features.T + kernel + np.diag(np.exp(2 * each[-1]) / weights + JITTER)
        likelihood = -0.5 * values @ np.linalg.solve(total, values) - 0.5 * np.linalg.slogdet(total)[1]
        return float(likelihood - 0.5 * (((each - prior.mean(KNOBS)) / prior.spread(KNOBS)) ** 2).sum())

    found = HyperparameterPosterior(inputs, features @ features.T, values, weights, prior).log_density(hyperparameters)
    np.testing.assert_allclose(found, [log_density(each) for each in hyperparameters], rtol=1e-9)


def test_probable_hyperparameters_are_near_those_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-2, 0, size=(80, KNOBS))
    truth = np.log([0.4, 0.8, 3.0, 0.1, 0.01])
    kernel = np.array([[covariance_of_two(one, other, truth) for other in inputs] for one in inputs])
    values = rng.multivariate_normal(np.zeros(80), kernel + 1e-4 * np.eye(80))
    posterior = HyperparameterPosterior(inputs, np.zeros((80, 80)), values, np.ones(80), KernelPrior())
    kept, weights = posterior.near_mode(5, np.random.default_rng(1))
    assert kept.shape == (5, KNOBS + 2)
    assert weights.sum() == pytest.approx(1.0)
    assert (np.diff(weights) <= 0).all()
    assert posterior.log_density(kept)[0] > posterior.log_density(truth[None])[0] - 2.0
    np.testing.assert_allclose(kept[0, -1], truth[-1], atol=0.35)
