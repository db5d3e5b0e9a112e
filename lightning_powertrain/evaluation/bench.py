"""Every method on every case, on the same draws, over seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.evaluation.cases import Case, with_power
from lightning_powertrain.evaluation.methods import METHODS, Method
from lightning_powertrain.evaluation.metrics import (
    Costs,
    Decisions,
    Errors,
    FloatArray,
    decisions_of,
    errors_of,
    judge,
    possible_limits_w,
)
from lightning_powertrain.evaluation.verification import verified_choices
from lightning_powertrain.prediction import Prediction, Predictor
from lightning_powertrain.profiling import Profile, WindowPlan
from lightning_powertrain.selection import PowerBudget

# The paper's data loader (4 workers, prefetch factor 2) and windows, which is what the measured profiles scatter like.
_PLAN = WindowPlan(discard=8, settle_s=2.0, precision=None)


@dataclass(frozen=True, eq=False)
class Verified:
    """Choices that were measured before they were kept.

    Args:
        decisions: What they cost.
        modes: Modes that were measured beyond the sample, mean over the limits.
        profiling_s: Seconds that measuring these takes, mean over the limits.
    """

    decisions: Decisions
    modes: float
    profiling_s: float

    def record(self) -> dict[str, float]:
        """All figures, by name."""
        return {"modes": self.modes, "profiling_s": self.profiling_s, **self.decisions.record()}


@dataclass(frozen=True, eq=False)
class Run:
    """One method, one workload, one number of modes, one seed.

    Args:
        method: Name of the method.
        workload: Name of the workload.
        simulated: Whether it is simulated; otherwise it was recorded on a board.
        modes: Number of measured modes.
        seed: Of the draw and of the fit.
        profiling_s: Seconds that measuring takes, switches and settling included.
        fit_s: Seconds of computing to fit the predictor.
        predict_s: Seconds of computing to predict all modes.
        errors: Of the prediction; None if the method predicts nothing.
        decisions: What its choices cost as they are; None if power is not known.
        verified: What they cost if each is measured before it is kept; None if that was not tried.
        prediction: Of all modes; None if the method predicts nothing.
    """

    method: str
    workload: str
    simulated: bool
    modes: int
    seed: int
    profiling_s: float = 0.0
    fit_s: float = 0.0
    predict_s: float = 0.0
    errors: Errors | None = None
    decisions: Decisions | None = None
    verified: Verified | None = None
    prediction: Prediction | None = field(default=None, repr=False)

    def record(self) -> dict[str, Any]:
        """All figures as plain JSON values; None where a figure is not known."""
        parts: dict[str, Mapping[str, float]] = {
            "": {name: value for name, value in vars(self).items() if name not in _PARTS},
            "errors_": {} if self.errors is None else vars(self.errors),
            "decisions_": {} if self.decisions is None else self.decisions.record(),
            "verified_": {} if self.verified is None else self.verified.record(),
        }
        flat = {prefix + name: value for prefix, part in parts.items() for name, value in part.items()}
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in flat.items()
        }


_PARTS = ("errors", "decisions", "verified", "prediction")


def run_bench(
    cases: Iterable[Case],
    methods: Sequence[str],
    counts: Sequence[int],
    seeds: int,
    limits_w: FloatArray,
    verify: bool = False,
) -> Iterator[Run]:
    """Run methods on cases, one after the other.

    Args:
        cases: What to try them on.
        methods: Names of methods.
        counts: Numbers of measured modes; one that a predictor cannot use is left out for it.
        seeds: Number of draws for each.
        limits_w: Power limits to choose for.
        verify: Whether to try choices that are measured before they are kept as well, which costs up to five more fits
            for each limit.
    """
    for case in cases:
        for name in methods:
            method = METHODS[name]
            if method.sampler is None:
                run = _run_stock(name, case, limits_w, verify)
                yield from [] if run is None else [run]
                continue
            for seed in range(seeds):
                predictor = None if method.predictor is None else method.predictor(case, seed)
                if predictor is not None:
                    predictor.prior_time_ms(case.truth.modes[:1])  # what is done once per board is not part of a fit
                for count in counts:
                    if predictor is None or count >= predictor.minimum_modes:
                        rows = method.sampler(case.truth.modes, count, seed)
                        yield _run(name, case, predictor, rows, seed, limits_w, verify)


def _run(
    name: str,
    case: Case,
    predictor: Predictor | None,
    rows: IntArray,
    seed: int,
    limits_w: FloatArray,
    verify: bool,
) -> Run:
    sample = replace(case.measured, measurements=tuple(case.measured.measurements[row] for row in rows))
    run = Run(name, case.name, case.simulated, len(rows), seed, _profiling_s(sample))
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    believed, actual = Costs(sample.time_ms, sample.power_w), Costs(truth.time_ms[rows], truth.power_w[rows])
    if predictor is not None:
        prediction, fit_s, predict_s = _predict(predictor, METHODS[name], case, sample)
        believed, actual = Costs(prediction.time_ms.copy(), prediction.power_w.copy()), truth
        believed.time_ms[rows], believed.power_w[rows] = sample.time_ms, sample.power_w
        errors = errors_of(prediction, case.truth, np.isin(np.arange(len(case.truth)), rows))
        run = replace(run, fit_s=fit_s, predict_s=predict_s, errors=errors, prediction=prediction)
    if not case.has_power:
        return run
    run = replace(run, decisions=decisions_of(believed, actual, truth, limits_w))
    if not verify:
        return run
    return replace(run, verified=_as_measured(run) if predictor is None else _verify(case, predictor, rows, limits_w))


def _verify(case: Case, predictor: Predictor, rows: IntArray, limits_w: FloatArray) -> Verified | None:
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    possible_w = possible_limits_w(limits_w, truth)
    objectives = [PowerBudget(limit_w) for limit_w in possible_w.tolist()]
    choices = list(verified_choices(case.measured, predictor, rows, objectives))
    kept = [choice.row for choice in choices]
    decisions = judge(Costs(truth.time_ms[kept], truth.power_w[kept]), truth, possible_w)
    if decisions is None:
        return None
    tried = [row for choice in choices for row in choice.tried]
    seconds = sum(_PLAN.seconds(time_ms) for time_ms in case.measured.time_ms[tried].tolist())
    return Verified(decisions, len(tried) / len(choices), seconds / len(choices))


def _as_measured(run: Run) -> Verified | None:
    """Of a method that chooses among measured modes: nothing is left to verify."""
    return None if run.decisions is None else Verified(run.decisions, 0.0, 0.0)


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


def _run_stock(name: str, case: Case, limits_w: FloatArray, verify: bool) -> Run | None:
    """Choices without a sample: the highest mode, or the best stock mode once each was measured."""
    if not case.has_power:
        return None
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    if name == "maxn":
        relative = case.truth.modes / np.maximum(case.truth.modes.max(axis=0), 1)
        highest = [int(np.argmax(relative.sum(axis=1)))]
        believed = actual = Costs(truth.time_ms[highest], truth.power_w[highest])
        decisions = decisions_of(believed, actual, truth, limits_w)
        return Run(name, case.name, case.simulated, 0, 0, decisions=decisions)
    if case.presets is None:
        return None
    sample, exact = case.presets
    believed, actual = Costs(sample.time_ms, sample.power_w), Costs(exact.time_ms, exact.power_w)
    decisions = decisions_of(believed, actual, truth, limits_w)
    run = Run(name, case.name, case.simulated, len(sample), 0, _profiling_s(sample), decisions=decisions)
    return replace(run, verified=_as_measured(run)) if verify else run


def _profiling_s(sample: Profile) -> float:
    return sum(_PLAN.seconds(time_ms) for time_ms in sample.time_ms.tolist())
