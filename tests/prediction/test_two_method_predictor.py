"""A predictor with nothing but ``fit`` and ``predict`` works wherever a predictor does."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain import BasePredictor, ProfilingOptions, SimulatedDevice, Tuner
from lightning_powertrain.boards import IntArray, load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.evaluation.bench import run_bench
from lightning_powertrain.evaluation.cases import simulated_cases
from lightning_powertrain.evaluation.closed_loop import ClosedLoop
from lightning_powertrain.evaluation.methods import METHODS, Method, designed_rows
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import PowerBudget
from lightning_powertrain.tuning import Phase

BOARD = load_board("orin-agx-64gb")
LIMIT_W = 30.0


class NearestNeighbour(BasePredictor):
    """The time and power of the measured mode that is nearest."""

    def fit(self, profile: Profile) -> None:
        self._profile = profile
        self._scale = np.maximum(np.ptp(profile.modes, axis=0), 1)

    def predict(self, modes: IntArray) -> Prediction:
        distances = np.abs((modes[:, None] - self._profile.modes[None]) / self._scale).sum(axis=2)
        nearest = distances.argmin(axis=1)
        return Prediction(self._profile.time_ms[nearest], self._profile.power_w[nearest])


def test_a_whole_job_is_tuned_with_it() -> None:
    device = SimulatedDevice(BOARD.key, "mobilenetv3", seed=0)
    tuner = Tuner(
        LIMIT_W,
        device=device,
        max_modes=20,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=NearestNeighbour()),
    )
    with tuner.start(minibatches=20_000, workload="mobilenetv3"):
        for _ in range(20_000):
            device.minibatch_ended()
            tuner.minibatch_ended()
            if tuner.phase is Phase.LOCKED:
                break
        assert tuner.phase is Phase.LOCKED
        locked = device.current_mode()
    assert tuner.outcome is not None
    assert tuner.outcome.selection is not None
    assert tuner.outcome.selection.mode == locked
    truth = simulated_profile(BOARD, "mobilenetv3", BOARD.modes.rows([locked]))
    assert truth.power_w[0] < LIMIT_W + 0.5


def test_search_and_bench_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = simulated_cases(BOARD.key, ["mobilenetv3"], {"only": None}, "study")
    found = ClosedLoop(case.measured, NearestNeighbour()).search("search", PowerBudget(LIMIT_W), 20)
    assert case.truth.power_w[found.row] < LIMIT_W + 0.5
    nearest = Method("the nearest measured mode", designed_rows, lambda case, seed: NearestNeighbour())
    monkeypatch.setitem(METHODS, "nearest", nearest)
    few, many = run_bench([case], ["nearest"], [10, 100], 1, np.array([LIMIT_W]))
    assert few.errors is not None
    assert many.errors is not None
    assert many.errors.time < few.errors.time


def test_defaults_are_those_that_are_documented() -> None:
    predictor, modes = NearestNeighbour(), BOARD.modes.array[:9]
    assert predictor.minimum_modes == 5
    assert predictor.reference_time_ms(modes) is None
    assert predictor.initial_design(BOARD.knobs, modes, 3, seed=0) is None


def test_a_predictor_without_the_two_methods_cannot_be_made() -> None:
    class OnlyFits(BasePredictor):
        def fit(self, profile: Profile) -> None:
            pass

    with pytest.raises(TypeError, match="abstract"):
        OnlyFits()  # type: ignore[abstract]


def test_a_predictor_of_no_base_class_is_refused_by_name() -> None:
    class Duck:
        minimum_modes = 5

        def fit(self, profile: Profile) -> None:
            pass

        def predict(self, modes: IntArray) -> Prediction:
            raise NotImplementedError

    with pytest.raises(ArgumentError, match=r"predictor=.*derived from BasePredictor"):
        Tuner(device=SimulatedDevice(BOARD.key, "lstm"), verbose=False, options=ProfilingOptions(predictor=Duck()))  # type: ignore[arg-type]
