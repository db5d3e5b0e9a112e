from __future__ import annotations

import numpy as np

from lightning_powertrain.prediction.map_fit import FloatArray, Prior, fit_map
from lightning_powertrain.prediction.trust import fit_trusting

SCATTER = 0.02
REFERENCE = Prior(np.zeros(6), np.full(6, 0.2), np.zeros(6, dtype=np.bool_))
MIXTURE = np.random.default_rng(0).standard_normal((40, 6))


def curve(parameters: FloatArray) -> FloatArray:
    return np.asarray(parameters @ MIXTURE.T, dtype=np.float64)


def fitted(truth: FloatArray, rows: int) -> tuple[FloatArray, FloatArray, Prior]:
    """The parameters as found without and with learning how far to trust the reference, and what was learned."""

    def part(parameters: FloatArray) -> FloatArray:
        return curve(parameters)[..., :rows]

    values = part(truth) + SCATTER * np.random.default_rng(1).standard_normal(rows)
    fixed = fit_map(part, values, REFERENCE, REFERENCE.mean[None], SCATTER)
    return (fixed, *fit_trusting(part, values, REFERENCE, fixed, SCATTER))


def test_a_reference_that_fits_is_trusted_more() -> None:
    _, found, prior = fitted(0.02 * np.ones(6), 40)
    assert (prior.spread < 0.9 * REFERENCE.spread).all()
    np.testing.assert_allclose(found, 0.02, atol=0.02)


def test_one_parameter_that_differs_is_let_go() -> None:
    truth = np.array([1.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    _, _, prior = fitted(truth, 40)
    assert prior.spread[0] > 2 * REFERENCE.spread[0]
    assert prior.spread[0] > 1.5 * prior.spread[1:].max()


def test_a_reference_that_does_not_fit_is_hardly_trusted() -> None:
    truth = np.array([1.5, -1.2, 1.0, -0.8, 1.4, -1.0])
    fixed, found, prior = fitted(truth, 40)
    assert (prior.spread > 2 * REFERENCE.spread).all()
    assert np.abs(found - truth).mean() <= np.abs(fixed - truth).mean()


def test_without_measurements_that_tell_nothing_is_learned() -> None:
    nothing = np.zeros(6)
    _, prior = fit_trusting(lambda parameters: 0 * parameters[..., :3], np.zeros(3), REFERENCE, nothing, SCATTER)
    np.testing.assert_allclose(prior.spread, REFERENCE.spread)
