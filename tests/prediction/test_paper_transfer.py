"""The paper's transfer, as a predictor."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from profiles import SPACE, profile

from lightning_powertrain.boards import Knob, ModeSpace
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.prediction.baselines import PaperNetworks, PaperTransfer, fit_paper_networks
from lightning_powertrain.prediction.baselines.paper import fitting
from lightning_powertrain.prediction.baselines.paper.training import train

TWO_CLUSTERS = ModeSpace((replace(SPACE.knobs[0], name="a57_khz", role="cpu"), *SPACE.knobs[1:]))


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here does not take a hundred."""
    monkeypatch.setattr(fitting, "train", lambda *some, epochs, rows: train(*some, epochs=8, rows=rows))


@pytest.fixture(scope="module")
def reference() -> PaperNetworks:
    return fit_paper_networks(profile(20))


def test_predicts_every_mode_with_finite_positive_figures(reference: PaperNetworks) -> None:
    predictor: BasePredictor = PaperTransfer(reference)
    predictor.fit(profile(predictor.minimum_modes, weight=1.5))
    prediction = predictor.predict(SPACE.array)
    for values in (prediction.time_ms, prediction.power_w):
        assert values.shape == (len(SPACE),)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert 0 < prediction.time_error < 1
    assert 0 < prediction.power_error < 1


def test_a_later_fit_replaces_an_earlier_one(reference: PaperNetworks) -> None:
    predictor, once = PaperTransfer(reference, seed=3), PaperTransfer(reference, seed=3)
    predictor.fit(profile(10, weight=0.5))
    predictor.fit(profile(10, weight=2))
    once.fit(profile(10, weight=2))
    np.testing.assert_array_equal(predictor.predict(SPACE.array).time_ms, once.predict(SPACE.array).time_ms)


def test_transfer_starts_from_the_reference(reference: PaperNetworks) -> None:
    transfer, scratch = PaperTransfer(reference), PaperTransfer(None)
    for predictor in (transfer, scratch):
        predictor.fit(profile(10, weight=1.5))
    assert not np.array_equal(transfer.predict(SPACE.array).time_ms, scratch.predict(SPACE.array).time_ms)


def test_other_roles_train_from_scratch_and_say_so_once(
    reference: PaperNetworks, caplog: pytest.LogCaptureFixture
) -> None:
    measured = profile(10, space=TWO_CLUSTERS)
    transfer, scratch = PaperTransfer(reference), PaperTransfer(None)
    with caplog.at_level(logging.INFO, "lightning_powertrain"):
        transfer.fit(measured)
        transfer.fit(measured)
        scratch.fit(measured)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "made-up are cpu, cpu, gpu, emc" in record.message
    assert "from scratch" in record.message
    np.testing.assert_array_equal(transfer.predict(SPACE.array).time_ms, scratch.predict(SPACE.array).time_ms)


def test_more_knobs_than_the_reference_has_train_from_scratch(reference: PaperNetworks) -> None:
    knobs = (*SPACE.knobs, Knob("dla_hz", "other", (1, 2)))
    measured = profile(10)
    rows = tuple(replace(row, mode=type(row.mode)(**row.mode, dla_hz=1)) for row in measured.measurements)
    predictor = PaperTransfer(reference)
    predictor.fit(replace(measured, knobs=knobs, measurements=rows))
    modes = ModeSpace(knobs).array
    assert np.isfinite(predictor.predict(modes).time_ms).all()
    assert predictor.reference_time_ms(modes) is None


def test_prior_is_the_reference_workload(reference: PaperNetworks) -> None:
    prior = PaperTransfer(reference).reference_time_ms(SPACE.array)
    np.testing.assert_array_equal(prior, reference.predict(SPACE.array).time_ms)
    assert PaperTransfer(None).reference_time_ms(SPACE.array) is None


def test_too_few_modes_are_refused(reference: PaperNetworks) -> None:
    predictor = PaperTransfer(reference)
    with pytest.raises(ArgumentError, match=r"profile='9 modes' is not valid.*at least 10 modes"):
        predictor.fit(profile(predictor.minimum_modes - 1))


def test_predicting_before_fitting_or_other_knobs_is_refused(reference: PaperNetworks) -> None:
    predictor = PaperTransfer(reference)
    with pytest.raises(ArgumentError, match=r"before fit\(\)"):
        predictor.predict(SPACE.array)
    predictor.fit(profile(10))
    with pytest.raises(ArgumentError, match=r"\(n, 4\), one column for each knob"):
        predictor.predict(SPACE.array[:, :3])
