"""Which mode to measure next, given what was measured so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.prediction.predictor import joined
from lightning_powertrain.profiling import (
    Measurement,
    Profile,
    latin_hypercube_rows,
    sensor_noise,
    visiting_order,
)
from lightning_powertrain.selection import (
    TIME_NOISE,
    Objective,
    Selection,
    expected_improvement,
    guarded_excess,
    select_measured,
)
from lightning_powertrain.tuning.candidate_pool import CandidatePool
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.foresight import Foresight
from lightning_powertrain.tuning.history import select_now
from lightning_powertrain.tuning.remaining import Remaining

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Modes to learn from before the predictor is asked where the best may be, out of this share of the board: the fastest,
# as the reference workload says. Of slow modes a few take longer than all others, and are the best for hardly any
# budget; where they are, the predictor will say so (benchmarks/job.py, docs/evaluation.md).
_LEARN_FROM = 7
_FAST = 0.3
# Of a larger board these come from so many modes, drawn at random.
_POOL = 2000

# Modes to measure between two fits while looking around: a fit takes time in which the job stands still.
_BETWEEN_FITS = 4

# Beyond the modes that were asked for, so many are tried at most...
MOST_TRIALS = 5
# ... as long as one promises, by expectation, to be better by this share of the cost.
_WORTH_A_TRIAL = 0.01
# Where the search may end early, every mode beyond the first ones has to promise this much.
WORTH_A_LOOK = 0.003
# Below this a mode has no chance to be the best, and there is nothing left to look at.
_HOPELESS = 1e-5

# How often a decision looks at the neighbours of the most promising modes so far, and of how many.
_ROUNDS = 3
_PARENTS = 20


@dataclass(frozen=True)
class Step:
    """A mode to measure.

    Args:
        mode: The mode.
        is_trial: Whether it may well be the one that is kept, rather than one to learn from.
        expected: Time (ms) and power (W) that are predicted of it; None if it was not predicted.
    """

    mode: PowerMode
    is_trial: bool = False
    expected: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a decision sees.

    Args:
        rows: Rows of the modes that it looks at.
        prediction: Of these modes.
        promise: Expected improvement of each on the best measured one; 0 where there is nothing left to learn.
        better: Whether each is expected within the budget by more than the noise of a measurement, and better than the
            best measured one by 1 %.
    """

    rows: IntArray
    prediction: Prediction
    promise: FloatArray
    better: BoolArray


class Search:
    """Looks for the best mode of a board in few measurements.

    First come modes of the fast part of the board: those that tell the predictor most, or some that are spread evenly
    if it has no opinion. Then it says where the best mode may be: each next mode is the one of the largest expected
    improvement on the best measured one, within the budget. Once as many as asked for are measured, up to five more
    are, as long as one promises to be better by 1 %. A search ``until_settled`` ends as soon as no mode promises more
    than 0.3 %: further measurements would hardly change the choice. It needs trials only where it is cut short. No
    search ends by itself while a mode that was not measured is expected within the budget and better by 1 %.

    What comes next depends on the profile alone, so a search can go on from a profile that was begun elsewhere.

    Args:
        space: The modes of the board.
        predictor: Predicts those that were not measured.
        objective: What to look for.
        start: The mode that the job started in, as measured.
        most: Modes to measure; at most the modes of the board.
        until_settled: Whether to stop earlier once the choice is settled.
        seed: Makes the choice of the first ones reproducible.
        with_first_modes: Whether to measure those first ones at all.
        ceiling_w: Modes of more power are neither tried nor chosen: the board is known to throttle there.
    """

    def __init__(
        self,
        space: ModeSpace,
        predictor: BasePredictor,
        objective: Objective,
        start: Measurement,
        most: int,
        until_settled: bool = False,
        seed: int = 0,
        with_first_modes: bool = True,
        ceiling_w: float = math.inf,
    ) -> None:
        self._space = space
        self._predictor = predictor
        self.objective = objective
        self.start = start
        self.most = most
        self._minimum = min(predictor.minimum_modes, len(space))
        self._until_settled = until_settled
        self._seed = seed
        self._ceiling_w = ceiling_w
        self._candidates = CandidatePool(space, seed)
        self._design = self._first_modes() if with_first_modes else []
        self._pending: list[Step] = []
        self._trials = 0
        self._recalled = 0
        self._errors = math.nan, math.nan
        self._unreached: set[PowerMode] = set()
        self._remaining = Remaining(objective, start, most, len(space) - 1, until_settled)
        self.foresight = Foresight()
        """What modes will draw once the board is warm; to begin with as much as measured."""

    @property
    def first_modes(self) -> list[PowerMode]:
        """The modes that are measured before the predictor is first asked, in this order."""
        return list(self._design)

    def not_reached(self, mode: PowerMode) -> None:
        """The board was asked for this mode and went to another one: it is not asked for again."""
        self._unreached.add(mode)

    def foresee(self, foresight: Foresight) -> None:
        """Compare modes by what they will draw once the board is warm; some more may be tried for that."""
        self.foresight = foresight
        self._pending, self._trials = [], 0

    def planned(self, profile: Profile) -> Step | None:
        """The next mode, if it is known without another fit."""
        windows = Counter(each.mode for each in profile.throttled)
        known = profile.besides(self.start)
        measured = {each.mode for each in known}
        visited = measured | self._unreached
        # What throttled comes again after all others, once: heat of the mode before may have been the reason.
        for times in (0, 1):
            for mode in self._design if len(measured) < len(self._design) else ():
                if mode not in visited and windows[mode] == times:
                    return Step(mode)
        if len(profile) < self._minimum:
            return next((Step(mode) for mode in self._other_modes() if mode not in visited and not windows[mode]), None)
        return self._pending.pop(0) if self._pending else None

    def learned(self, profile: Profile, may_look_around: bool = True) -> Step | None:
        """Fit the predictor, and say where it is best to measure next; None if the search is over.

        Args:
            profile: What was measured.
            may_look_around: False where measuring must come to an end: then only trials are left.

        Raises:
            DeviceError: If the board throttled so often that too little was measured.
            ArithmeticError: If the predictor gave a time or power that is not finite.
        """
        if len({each.mode for each in profile.measurements}) == len(self._space):
            return None  # Nothing is left to predict.
        self._fit(profile)
        seen = self._look(profile)
        done = self._done(profile)
        left = self.most - done if may_look_around else 0
        worth = WORTH_A_LOOK if self._until_settled else _HOPELESS
        is_open = seen.promise >= worth
        self._remaining.looked(done, seen.promise[is_open], seen.prediction.time_ms[is_open])
        if left > 0 and (seen.promise.max() >= worth or seen.better.any()):
            chosen = self._apart(seen, 1 if self._until_settled else min(left, _BETWEEN_FITS))
            self._pending = [self._step(seen, index) for index in chosen]
            return self._pending.pop(0)
        # What is tried may be kept, so it has to be expected to meet the budget, not only to have a chance.
        excess = self.objective.excess(seen.prediction.time_ms, seen.prediction.power_w)
        promise = np.where(excess <= excess.min(), seen.promise, 0.0)
        # A job without time left tries only what promises much.
        is_worth_it = promise.max() >= _WORTH_A_TRIAL or (may_look_around and seen.better.any())
        if self._trials == MOST_TRIALS or not is_worth_it:
            return None
        self._trials += 1
        return self._step(seen, int(np.argmax(promise)), is_trial=True)

    def recalled(self, profile: Profile, reused: Collection[PowerMode]) -> Step | None:
        """The best mode of those known from before, to be measured again before it is kept.

        Args:
            profile: What was measured, before and now.
            reused: The modes that were only measured before.

        Returns:
            None if there is none that beats the best mode measured now by 1 %, or five were measured again already.
        """
        profile = self.foresight.of_all(profile)
        out_of_question = {mode for mode in reused if not self._may_be_kept(mode)}
        candidates = [each for each in profile.measurements if each.mode not in out_of_question]
        if not candidates or self._recalled == MOST_TRIALS:
            return None
        best = select_measured(self.objective, replace(profile, measurements=tuple(candidates)), candidates[0])
        now = select_now(self.objective, profile, reused, self.start)
        good_enough = now is not None and now.is_confirmed and best.cost > (1 - _WORTH_A_TRIAL) * now.cost
        if best.mode not in reused or good_enough:
            return None
        self._recalled += 1
        predicted = self._predictor.predict(self._space.rows([best.mode]))
        return Step(best.mode, True, (float(predicted.time_ms[0]), float(predicted.power_w[0])))

    def remaining(self, profile: Profile) -> tuple[float, float | None, float]:
        """How many modes it likely has yet to measure, trials included, and at most, and their minibatch time (ms).

        None at most where it is known well enough when it ends.
        """
        done, remaining = self._done(profile), self._remaining
        return remaining.windows(done), remaining.most_windows(done), remaining.time_ms

    def best(self, profile: Profile, reused: Collection[PowerMode] = ()) -> Selection:
        """The best mode that was measured: in this job, unless the board throttled whenever it was.

        Args:
            profile: What was measured.
            reused: The modes that were only measured before this job.
        """
        warm, start = self.foresight.of_all(profile), self.foresight.of(self.start)
        best = select_now(self.objective, warm, reused, start, self._ceiling_w)
        best = best or select_measured(self.objective, warm, start, self._ceiling_w)
        seen = dict(zip((start, *warm.measurements), (self.start, *profile.measurements)))
        assert best.measured is not None
        return replace(best, start=self.start, measured=seen[best.measured])

    def selection_of(self, step: Step) -> Selection:
        """What is expected of a step, if it was predicted."""
        assert step.expected is not None
        return Selection(step.mode, self.objective, *step.expected, self.start, *self._errors)

    def forecast(self, profile: Profile) -> Forecast:
        """What the predictor makes of all modes, for reports."""
        return Forecast(self._space, self._predictor, profile)

    def _done(self, profile: Profile) -> int:
        """Modes that count: also those in which the board throttles, or a hot one would try one after the other."""
        return len(profile.besides(self.start)) + len(profile.throttling_modes)

    def _may_be_kept(self, mode: PowerMode) -> bool:
        """Whether a mode that was measured before may be set."""
        return mode in self._space

    def _first_modes(self) -> list[PowerMode]:
        count = min(self.most, max(_LEARN_FROM, self._minimum), len(self._space))
        # The start is measured in any case.
        return [mode for mode in self._most_telling(self._fast_rows(count), count) if mode != self.start.mode]

    def _other_modes(self) -> list[PowerMode]:
        """Out of all modes, for a board that throttles in the fast ones."""
        count = max(len(self._design), self._minimum)
        return self._most_telling(self._candidates.pool(max(count, _POOL)), count)

    def _most_telling(self, among: IntArray, count: int) -> list[PowerMode]:
        modes = self._space.array[among]
        rows = self._predictor.initial_design(self._space.knobs, modes, count, self._seed)
        if rows is None:
            rows = latin_hypercube_rows(modes, count, self._seed)
        return visiting_order(self._space, map(self._space.mode, among[rows].tolist()), self._seed)

    def _fast_rows(self, at_least: int) -> IntArray:
        """Rows of the fastest modes; of all if nothing is known before anything is measured."""
        pool = self._candidates.pool(max(at_least, _POOL))
        reference_ms = self._predictor.reference_time_ms(self._space.array[pool])
        if reference_ms is None:
            return pool
        return np.sort(pool[np.argsort(reference_ms, kind="stable")[: max(at_least, round(_FAST * len(pool)))]])

    def _fit(self, profile: Profile) -> None:
        if len(profile) < self._minimum:
            raise DeviceError(self._too_few(profile))
        self._predictor.fit(self.foresight.of_all(profile))

    def _too_few(self, profile: Profile) -> str:
        """Why too little was measured for a fit."""
        causes = profile.throttled[-1].throttled_by if profile.throttled else "no reason known"
        return (
            f"the board throttled ({causes}) in all but {len(profile)} of the windows: it is too hot, or its "
            "supply too weak, to be measured"
        )

    def _look(self, profile: Profile) -> Outlook:
        """Look at a sample of all modes, and at neighbours of the best measured and of the most promising modes."""
        warm, start = self.foresight.of_all(profile), self.foresight.of(self.start)
        best = select_measured(self.objective, warm, start, self._ceiling_w)
        rows = self._begin_with(profile)
        prediction = self._predict(rows)
        seen = self._judged(rows, prediction, profile, best)
        parents = self._space.rows_of([best.mode])
        for _ in range(0 if self._candidates.is_complete else _ROUNDS):
            promising = np.argsort(-seen.promise, kind="stable")[:_PARENTS]
            parents = np.concatenate([parents, seen.rows[promising[seen.promise[promising] > 0]]])
            fresh = self._candidates.near(parents, seen.rows)
            if not len(fresh):
                break
            rows, prediction = np.concatenate([seen.rows, fresh]), joined(seen.prediction, self._predict(fresh))
            seen = self._judged(rows, prediction, profile, best)
            parents = parents[:0]
        self._errors = seen.prediction.time_error, seen.prediction.power_error
        return seen

    def _begin_with(self, profile: Profile) -> IntArray:
        """Rows to look at in any case."""
        return self._candidates.sample

    def _predict(self, rows: IntArray) -> Prediction:
        prediction = self._predictor.predict(self._space.array[rows])
        if not (np.isfinite(prediction.time_ms).all() and np.isfinite(prediction.power_w).all()):
            raise ArithmeticError("the predictor gave times or powers that are not finite")
        return prediction

    def _judged(self, rows: IntArray, prediction: Prediction, profile: Profile, best: Selection) -> Outlook:
        """Which modes are worth a measurement, of those that were not ruled out by one."""
        to_beat = self._cost_to_beat(best, prediction)
        promise = expected_improvement(self.objective, prediction, to_beat)
        excess = self.objective.excess(prediction.time_ms, prediction.power_w)
        if not best.is_confirmed and promise.max() < _HOPELESS:  # No mode can be hoped to meet the budget.
            promise = np.clip(1 - excess / best.excess, 0.0, 1.0) if best.excess else promise
        known = {each.mode for each in profile.measurements} | profile.throttling_modes | self._unreached
        is_open = ~np.isin(rows, self._space.rows_of(known)) & (prediction.power_w <= self._ceiling_w)
        cost = self.objective.cost(prediction.time_ms, prediction.power_w)
        figures = prediction.time_ms, prediction.power_w
        beyond = guarded_excess(self.objective, *figures, TIME_NOISE, sensor_noise(prediction.power_w))
        better = is_open & (beyond == 0) & (cost < (1 - _WORTH_A_TRIAL) * to_beat)
        promise = np.where(is_open, np.maximum(promise, np.where(better, _HOPELESS, 0.0)), 0.0)
        return Outlook(rows, prediction, promise, better)

    def _cost_to_beat(self, best: Selection, prediction: Prediction) -> float:
        """That of the best measured mode, if it meets the budget; else any mode that does is welcome."""
        if best.is_confirmed:
            return best.cost
        costs = self.objective.cost(prediction.time_ms, prediction.power_w)
        within = self.objective.excess(prediction.time_ms, prediction.power_w) == 0
        return float(costs[within].max() if within.any() else costs.max())

    def _apart(self, seen: Outlook, count: int) -> list[int]:
        """Indices of the most promising modes of which no two are neighbours, which would tell the same."""
        levels = self._space.levels[seen.rows]
        chosen: list[int] = []
        for index in np.argsort(-seen.promise, kind="stable").tolist():
            if len(chosen) == count or seen.promise[index] < _HOPELESS:
                break
            if all(np.abs(levels[index] - levels[other]).sum() > 1 for other in chosen):
                chosen.append(index)
        return chosen

    def _step(self, seen: Outlook, index: int, is_trial: bool = False) -> Step:
        expected = float(seen.prediction.time_ms[index]), float(seen.prediction.power_w[index])
        return Step(self._space.mode(int(seen.rows[index])), is_trial, expected)
