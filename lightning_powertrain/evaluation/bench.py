"""Every method on every case, on the same draws, over seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.evaluation.cases import Case, with_power
from lightning_powertrain.evaluation.closed_loop import ClosedLoop, Found
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
from lightning_powertrain.evaluation.rivals import Attempt, MeasuredBoard
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile, WindowPlan
from lightning_powertrain.selection import PowerBudget
from lightning_powertrain.tuning.config import MAX_MODES

# The paper's data loader (4 workers, prefetch factor 2) and windows, which is what the measured profiles scatter like.
_PLAN = WindowPlan(discard=8, settle_s=2.0, tolerance=None)
# As a job measures by default.
_ADAPTIVE = WindowPlan(discard=8, settle_s=2.0)


@dataclass(frozen=True, eq=False)
class Verified:
    """Choices that were measured before they were kept.

    Args:
        decisions: What they cost.
        modes: Modes that were measured for one limit, all in all: mean over the limits.
        profiling_s: Seconds that this takes with the paper's windows, mean over the limits.
        adaptive_s: Seconds that it takes with windows that end once they are precise, as a job's do by default.
        beyond_w: How far each of the modes that were measured truly draws more than the limit, negative where it draws
            less; of all limits, one after the other.
    """

    decisions: Decisions
    modes: float
    profiling_s: float
    adaptive_s: float
    beyond_w: FloatArray

    @property
    def measured_above(self) -> float:
        """Share of the measured modes that truly draw more than the limit, in per cent."""
        return 100 * float(np.mean(self.beyond_w > 0))

    @property
    def measured_above_1_w(self) -> float:
        """Share of the measured modes that draw more than 1 W more, in per cent."""
        return 100 * float(np.mean(self.beyond_w > 1))

    @property
    def measured_largest_w(self) -> float:
        """How far the highest of them is above its limit; 0 if none is."""
        return max(0.0, float(self.beyond_w.max()))

    def record(self) -> dict[str, float]:
        """All figures, by name."""
        names = ("modes", "profiling_s", "adaptive_s", "measured_above", "measured_above_1_w", "measured_largest_w")
        return {**{name: getattr(self, name) for name in names}, **self.decisions.record()}


@dataclass(frozen=True, eq=False)
class Run:
    """One method, one workload, one number of modes, one seed.

    Args:
        method: Name of the method.
        board: Key of the board.
        reference: Name of the reference, where cases differ in it; else empty.
        workload: Name of the workload.
        simulated: Whether it is simulated; otherwise it was recorded on a board.
        modes: Number of measured modes; 0 if it is not given, but found while searching.
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
    board: str
    reference: str
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

    @property
    def title(self) -> str:
        """The method, and the reference where that is not the same for all."""
        return f"{self.method} from {self.reference}" if self.reference else self.method

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
        verify: Whether predicted choices are measured before they are kept as well, which costs up to five more fits
            for each limit. Searches always measure theirs.
    """
    for case in cases:
        for name in methods:
            if METHODS[name].sampler is not None:
                yield from _run_sampling(name, case, counts, seeds, limits_w, verify)
            elif case.has_power and METHODS[name].search is not None:
                yield from _run_searching(name, case, counts, seeds, limits_w)
            elif case.has_power and METHODS[name].rival is not None:
                yield from _run_rival(name, case, counts, seeds, limits_w)
            elif case.has_power:
                yield from _run_stock(name, case, limits_w)


def _run_sampling(
    name: str, case: Case, counts: Sequence[int], seeds: int, limits_w: FloatArray, verify: bool
) -> Iterator[Run]:
    method = METHODS[name]
    assert method.sampler is not None
    for seed in range(seeds):
        predictor = None if method.predictor is None else method.predictor(case, seed)
        if predictor is not None:
            predictor.reference_time_ms(case.truth.modes[:1])  # what is done once per board is not part of a fit
        for count in counts:
            if predictor is None or count >= predictor.minimum_modes:
                rows = method.sampler(case, predictor, count, seed)
                yield _run(name, case, predictor, rows, seed, limits_w, verify)


def _run(
    name: str,
    case: Case,
    predictor: BasePredictor | None,
    rows: IntArray,
    seed: int,
    limits_w: FloatArray,
    verify: bool,
) -> Run:
    sample = replace(case.measured, measurements=tuple(case.measured.measurements[row] for row in rows))
    run = _run_of(name, case, len(rows), seed, _profiling_s(sample))
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    estimated, actual = Costs(sample.time_ms, sample.power_w), Costs(truth.time_ms[rows], truth.power_w[rows])
    if predictor is not None:
        prediction, fit_s, predict_s = _predict(predictor, METHODS[name], case, sample)
        estimated, actual = Costs(prediction.time_ms.copy(), prediction.power_w.copy()), truth
        estimated.time_ms[rows], estimated.power_w[rows] = sample.time_ms, sample.power_w
        errors = errors_of(prediction, case.truth, np.isin(np.arange(len(case.truth)), rows))
        run = replace(run, fit_s=fit_s, predict_s=predict_s, errors=errors, prediction=prediction)
    if not case.has_power:
        return run
    run = replace(run, decisions=decisions_of(estimated, actual, truth, limits_w))
    if not verify:
        return run
    return run if predictor is None else replace(run, verified=_verify(case, predictor, rows, limits_w))


def _verify(case: Case, predictor: BasePredictor, rows: IntArray, limits_w: FloatArray) -> Verified | None:
    loop, sample = ClosedLoop(case.measured, predictor), rows.tolist()
    possible_w = possible_limits_w(limits_w, Costs(case.truth.time_ms, case.truth.power_w))
    return _judged(case, [loop.verify(sample, PowerBudget(limit_w)) for limit_w in possible_w.tolist()], possible_w)


def _run_searching(name: str, case: Case, counts: Sequence[int], seeds: int, limits_w: FloatArray) -> Iterator[Run]:
    """Searches from scratch; once for all counts where they find the number of modes themselves."""
    method = METHODS[name]
    assert method.predictor is not None
    assert method.search is not None
    possible_w = possible_limits_w(limits_w, Costs(case.truth.time_ms, case.truth.power_w))
    for seed in range(seeds):
        loop = ClosedLoop(case.measured, method.predictor(case, seed), seed)
        if method.search == "hard":  # A limit that even the lowest mode exceeds is refused.
            possible_w = possible_w[possible_w >= case.measured.power_w[loop.first_row("hard")]]
        for count in counts if method.search == "search" else [0]:
            objectives = [PowerBudget(limit_w) for limit_w in possible_w.tolist()]
            found = [loop.search(method.search, objective, count or MAX_MODES) for objective in objectives]
            verified = _judged(case, found, possible_w)
            if verified is not None:
                yield replace(_run_of(name, case, count, seed, verified.profiling_s), verified=verified)


def _run_rival(name: str, case: Case, counts: Sequence[int], seeds: int, limits_w: FloatArray) -> Iterator[Run]:
    """Searches of others; once for all counts where the number of modes is a part of the method."""
    method = METHODS[name]
    assert method.rival is not None
    board = MeasuredBoard(case.measured)
    possible_w = possible_limits_w(limits_w, Costs(case.truth.time_ms, case.truth.power_w))
    for seed, count in product(range(seeds), [method.rival_modes] if method.rival_modes else counts):
        found = []
        for limit_w in possible_w.tolist():
            attempt = Attempt(board, limit_w, count, seed)
            method.rival(attempt)
            found.append(Found(attempt.kept(), tuple(attempt.rows)))
        verified = _judged(case, found, possible_w)
        if verified is not None:
            yield replace(_run_of(name, case, count, seed, verified.profiling_s), verified=verified)


def _run_of(method: str, case: Case, modes: int, seed: int, profiling_s: float = 0.0) -> Run:
    """A run of which only the method, the case and what measuring costs is known."""
    return Run(method, case.board, case.start, case.name, case.simulated, modes, seed, profiling_s)


def _judged(case: Case, found: Sequence[Found], limits_w: FloatArray) -> Verified | None:
    truth, kept = Costs(case.truth.time_ms, case.truth.power_w), [each.row for each in found]
    decisions = judge(Costs(truth.time_ms[kept], truth.power_w[kept]), truth, limits_w)
    if decisions is None:
        return None
    rows = np.concatenate([each.measured for each in found]).astype(np.int64)
    times_ms = case.measured.time_ms[rows].tolist()
    fixed_s, adaptive_s = (sum(map(plan.seconds, times_ms)) / len(found) for plan in (_PLAN, _ADAPTIVE))
    beyond_w = truth.power_w[rows] - np.repeat(limits_w, [len(each.measured) for each in found])
    return Verified(decisions, len(rows) / len(found), fixed_s, adaptive_s, beyond_w)


def _predict(predictor: BasePredictor, method: Method, case: Case, sample: Profile) -> tuple[Prediction, float, float]:
    without_power = method.needs_power and not case.has_power
    start_s = time.perf_counter()
    predictor.fit(with_power(sample) if without_power else sample)
    fitted_s = time.perf_counter()
    prediction = predictor.predict(case.truth.modes)
    done_s = time.perf_counter()
    if without_power:
        prediction = replace(prediction, power_w=np.full(len(case.truth), np.nan))
    return prediction, fitted_s - start_s, done_s - fitted_s


def _run_stock(name: str, case: Case, limits_w: FloatArray) -> Iterator[Run]:
    """Choices without a sample: the highest mode, or the best stock mode once each was measured."""
    truth = Costs(case.truth.time_ms, case.truth.power_w)
    if name == "maxn":
        relative = case.truth.modes / np.maximum(case.truth.modes.max(axis=0), 1)
        highest = [int(np.argmax(relative.sum(axis=1)))]
        estimated = actual = Costs(truth.time_ms[highest], truth.power_w[highest])
        decisions = decisions_of(estimated, actual, truth, limits_w)
        yield replace(_run_of(name, case, 0, 0), decisions=decisions)
    elif case.presets is not None:
        sample, exact = case.presets
        estimated, actual = Costs(sample.time_ms, sample.power_w), Costs(exact.time_ms, exact.power_w)
        decisions = decisions_of(estimated, actual, truth, limits_w)
        yield replace(_run_of(name, case, len(sample), 0, _profiling_s(sample)), decisions=decisions)


def _profiling_s(sample: Profile) -> float:
    return sum(_PLAN.seconds(time_ms) for time_ms in sample.time_ms.tolist())
