"""Every method on every case, on the same draws, over seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.evaluation.cases import Case, with_power
from lightning_powertrain.evaluation.methods import METHODS, Method
from lightning_powertrain.evaluation.metrics import Costs, Decisions, Errors, FloatArray, decisions_of, errors_of
from lightning_powertrain.prediction import Prediction, Predictor
from lightning_powertrain.profiling import Profile, WindowPlan

# The paper's data loader (4 workers, prefetch factor 2) and windows, which is what the measured profiles scatter like.
_PLAN = WindowPlan(discard=8, settle_s=2.0, precision=None)


@dataclass(frozen=True)
class Run:
    """One method, one workload, one number of modes, one seed.

    Args:
        method: Name of the method.
        workload: Name of the workload.
        modes: Number of measured modes.
        seed: Of the draw and of the fit.
        profiling_s: Seconds that measuring takes, switches and settling included.
        fit_s: Seconds of computing to fit the predictor.
        predict_s: Seconds of computing to predict all modes.
        errors: Of the prediction; None if the method predicts nothing.
        decisions: What its choices cost; None if power is not known.
    """

    method: str
    workload: str
    modes: int
    seed: int
    profiling_s: float
    fit_s: float
    predict_s: float
    errors: Errors | None
    decisions: Decisions | None

    def record(self) -> dict[str, Any]:
        """All figures as plain JSON values; None where a figure is not known."""
        flat = {key: value for key, value in asdict(self).items() if key not in ("errors", "decisions")}
        for prefix, part in (("errors", self.errors), ("decisions", self.decisions)):
            if part is not None:
                flat.update({f"{prefix}_{key}": value for key, value in asdict(part).items()})
        return {
            key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in flat.items()
        }


def run_bench(
    cases: Iterable[Case], methods: Sequence[str], counts: Sequence[int], seeds: int, limits_w: FloatArray
) -> Iterator[Run]:
    """Run methods on cases, one after the other.

    Args:
        cases: What to try them on.
        methods: Names of methods.
        counts: Numbers of measured modes; one that a predictor cannot use is left out for it.
        seeds: Number of draws for each.
        limits_w: Power limits to choose for.
    """
    for case in cases:
        for name in methods:
            method = METHODS[name]
            if method.sampler is None:
                run = _run_stock(name, case, limits_w)
                yield from [] if run is None else [run]
                continue
            for seed in range(seeds):
                predictor = None if method.predictor is None else method.predictor(case, seed)
                if predictor is not None:
                    predictor.prior_time_ms(case.truth.modes[:1])  # what is done once per board is not part of a fit
                for count in counts:
                    if predictor is None or count >= predictor.minimum_modes:
                        rows = method.sampler(case.truth.modes, count, seed)
                        yield _run(name, method, case, predictor, rows, seed, limits_w)


def _run(
    name: str,
    method: Method,
    case: Case,
    predictor: Predictor | None,
    rows: IntArray,
    seed: int,
    limits_w: FloatArray,
) -> Run:
    sample = replace(case.measured, measurements=tuple(case.measured.measurements[row] for row in rows))
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    prediction, fit_s, predict_s = None, 0.0, 0.0
    believed, actual = Costs(sample.time_ms, sample.power_w), Costs(truth.time_ms[rows], truth.power_w[rows])
    if predictor is not None:
        prediction, fit_s, predict_s = _predict(predictor, method, case, sample)
        believed, actual = Costs(prediction.time_ms.copy(), prediction.power_w.copy()), truth
        believed.time_ms[rows], believed.power_w[rows] = sample.time_ms, sample.power_w
    measured = np.isin(np.arange(len(case.truth)), rows)
    return Run(
        method=name,
        workload=case.name,
        modes=len(rows),
        seed=seed,
        profiling_s=_profiling_s(sample),
        fit_s=fit_s,
        predict_s=predict_s,
        errors=None if prediction is None else errors_of(prediction, case.truth, measured),
        decisions=decisions_of(believed, actual, truth, limits_w) if case.has_power else None,
    )


def _predict(predictor: Predictor, method: Method, case: Case, sample: Profile) -> tuple[Prediction, float, float]:
    without_power = method.needs_power and not case.has_power
    start_s = time.perf_counter()
    predictor.fit(with_power(sample) if without_power else sample)
    fitted_s = time.perf_counter()
    prediction = predictor.predict(case.truth.modes)
    done_s = time.perf_counter()
    if without_power:
        prediction = replace(prediction, power_w=np.full(len(case.truth), np.nan))
    return prediction, fitted_s - start_s, done_s - fitted_s


def _run_stock(name: str, case: Case, limits_w: FloatArray) -> Run | None:
    """Choices without a sample: the highest mode, or the best stock mode once each was measured."""
    if not case.has_power:
        return None
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    if name == "maxn":
        relative = case.truth.modes / np.maximum(case.truth.modes.max(axis=0), 1)
        highest = [int(np.argmax(relative.sum(axis=1)))]
        believed = actual = Costs(truth.time_ms[highest], truth.power_w[highest])
        return Run(name, case.name, 0, 0, 0.0, 0.0, 0.0, None, decisions_of(believed, actual, truth, limits_w))
    if case.presets is None:
        return None
    sample, exact = case.presets
    believed, actual = Costs(sample.time_ms, sample.power_w), Costs(exact.time_ms, exact.power_w)
    decisions = decisions_of(believed, actual, truth, limits_w)
    return Run(name, case.name, len(sample), 0, _profiling_s(sample), 0.0, 0.0, None, decisions)


def _profiling_s(sample: Profile) -> float:
    return sum(_PLAN.seconds(time_ms) for time_ms in sample.time_ms.tolist())
