"""Which mode to measure next, given what was measured so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.prediction.predictor import joined
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Objective, Selection, select_measured
from lightning_powertrain.tuning.acquisition import HOPELESS, WORTH_VERIFYING, Acquisition, Candidate, acquisition
from lightning_powertrain.tuning.candidate_pool import CandidatePool
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.foresight import Foresight
from lightning_powertrain.tuning.history import select_now
from lightning_powertrain.tuning.initial_design import InitialDesign
from lightning_powertrain.tuning.remaining import Remaining

# Modes to measure between two fits while exploring: a fit takes time in which the job stands still.
_BETWEEN_FITS = 4

# Beyond the modes that were asked for, so many are tried at most, as long as one of them is WORTH_VERIFYING.
MAX_VERIFICATIONS = 5
# Where the search may end early, every mode beyond the first ones has to value this much.
WORTH_MEASURING = 0.003
# How often a decision looks at the neighbours of the modes of the largest values so far, and of how many.
_ROUNDS = 3
_PARENTS = 20


class Search:
    """Looks for the best mode of a board in few measurements.

    First come modes of the fast part of the board: the most informative ones for the predictor, or some that are spread
    evenly if it names none. Each next mode is the one with the largest expected improvement on the best measured mode,
    within the budget. Once as many as asked for are measured, up to five more
    are, as long as one is expected to be better by 1 %. A search ``until_settled`` ends as soon as the expected
    improvement of every mode is below 0.3 %: further measurements would hardly change the choice. It verifies modes
    only where it is cut short. No search ends by itself while a mode that was not measured is expected within the
    budget and better by 1 %.

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
        self._initial_design = InitialDesign(space, predictor, self._candidates, seed)
        self._design = self._first_modes() if with_first_modes else []
        self._pending: list[Candidate] = []
        self._verifications = 0
        self._from_history = 0
        self._errors = math.nan, math.nan
        self._unreachable: set[PowerMode] = set()
        self._remaining = Remaining(objective, start, most, len(space) - 1, until_settled)
        self.foresight = Foresight()
        """What modes will draw once the board is warm; to begin with as much as measured."""

    @property
    def first_modes(self) -> list[PowerMode]:
        """The modes that are measured before the predictor is first asked, in this order."""
        return list(self._design)

    def mark_unreachable(self, mode: PowerMode) -> None:
        """The board was asked for this mode and went to another one: it is not asked for again."""
        self._unreachable.add(mode)

    def foresee(self, foresight: Foresight) -> None:
        """Compare modes by what they will draw once the board is warm; some more may be tried for that."""
        self.foresight = foresight
        self._pending, self._verifications = [], 0

    def go_on_from(self, earlier: Search) -> None:
        """Foresee what another search of the same job did; what that tried counts as tried."""
        self.foresight, self._verifications = earlier.foresight, earlier._verifications

    def next_planned(self, profile: Profile) -> Candidate | None:
        """The next mode, if it is known without another fit."""
        windows = Counter(each.mode for each in profile.throttled)
        known = profile.besides(self.start)
        measured = {each.mode for each in known}
        visited = measured | self._unreachable
        # What throttled comes again after all others, once: heat of the mode before may have been the reason.
        for times in (0, 1):
            for mode in self._design if len(measured) < len(self._design) else ():
                if mode not in visited and windows[mode] == times:
                    return Candidate(mode)
        if len(profile) < self._minimum:
            return next(
                (Candidate(mode) for mode in self._other_modes() if mode not in visited and not windows[mode]), None
            )
        return self._pending.pop(0) if self._pending else None

    def next_by_acquisition(self, profile: Profile, may_explore: bool = True) -> Candidate | None:
        """Fit the predictor, and say where it is best to measure next; None if the search is over.

        Args:
            profile: What was measured.
            may_explore: False where measuring must come to an end: then only verifications are left.

        Raises:
            DeviceError: If the board throttled so often that too little was measured.
            ArithmeticError: If the predictor gave a time or power that is not finite.
        """
        if len({each.mode for each in profile.measurements}) == len(self._space):
            return None  # Nothing is left to predict.
        self._fit(profile)
        seen = self._look(profile)
        done = self._done(profile)
        left = self.most - done if may_explore else 0
        worth = WORTH_MEASURING if self._until_settled else HOPELESS
        is_open = seen.value >= worth
        self._remaining.looked(done, seen.value[is_open], seen.prediction.time_ms[is_open])
        if left > 0 and (seen.value.max() >= worth or seen.better.any()):
            chosen = seen.apart(self._space.levels[seen.rows], 1 if self._until_settled else min(left, _BETWEEN_FITS))
            self._pending = [seen.candidate(self._space, index) for index in chosen]
            return self._pending.pop(0)
        # What is tried may be kept, so it has to be expected to meet the budget, not only to have a chance.
        excess = self.objective.excess(seen.prediction.time_ms, seen.prediction.power_w)
        value = np.where(excess <= excess.min(), seen.value, 0.0)
        # A job without time left verifies only modes of large values.
        is_worth_it = value.max() >= WORTH_VERIFYING or (may_explore and seen.better.any())
        if self._verifications == MAX_VERIFICATIONS or not is_worth_it:
            return None
        self._verifications += 1
        return seen.candidate(self._space, int(np.argmax(value)), is_verification=True)

    def next_from_history(self, profile: Profile, reused: Collection[PowerMode]) -> Candidate | None:
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
        if not candidates or self._from_history == MAX_VERIFICATIONS:
            return None
        best = select_measured(self.objective, replace(profile, measurements=tuple(candidates)), candidates[0])
        now = select_now(self.objective, profile, reused, self.start)
        good_enough = now is not None and now.is_confirmed and best.cost > (1 - WORTH_VERIFYING) * now.cost
        if best.mode not in reused or good_enough:
            return None
        self._from_history += 1
        predicted = self._predictor.predict(self._space.rows([best.mode]))
        return Candidate(best.mode, True, (float(predicted.time_ms[0]), float(predicted.power_w[0])))

    def remaining(self, profile: Profile) -> tuple[float, float | None, float]:
        """How many modes are likely left, verifications included, how many at most, and their minibatch time (ms).

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

    def selection_of(self, candidate: Candidate) -> Selection:
        """What is expected of a step, if it was predicted."""
        assert candidate.expected is not None
        return Selection(candidate.mode, self.objective, *candidate.expected, self.start, *self._errors)

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
        # The start is measured in any case.
        return [mode for mode in self._initial_design.fast_modes(self.most, self._minimum) if mode != self.start.mode]

    def _other_modes(self) -> list[PowerMode]:
        """Out of all modes, for a board that throttles in the fast ones."""
        return self._initial_design.modes(max(len(self._design), self._minimum))

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

    def _look(self, profile: Profile) -> Acquisition:
        """The acquisition function over a sample of all modes, and over neighbours of the best ones."""
        warm, start = self.foresight.of_all(profile), self.foresight.of(self.start)
        best = select_measured(self.objective, warm, start, self._ceiling_w)
        rows = self._begin_with(profile)
        prediction = self._predict(rows)
        seen = self._judged(rows, prediction, profile, best)
        parents = self._space.rows_of([best.mode])
        for _ in range(0 if self._candidates.is_complete else _ROUNDS):
            promising = np.argsort(-seen.value, kind="stable")[:_PARENTS]
            parents = np.concatenate([parents, seen.rows[promising[seen.value[promising] > 0]]])
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

    def _judged(self, rows: IntArray, prediction: Prediction, profile: Profile, best: Selection) -> Acquisition:
        """Which modes are worth a measurement, of those that were not ruled out by one."""
        known = {each.mode for each in profile.measurements} | profile.throttling_modes | self._unreachable
        is_open = ~np.isin(rows, self._space.rows_of(known)) & (prediction.power_w <= self._ceiling_w)
        return acquisition(self.objective, best, rows, prediction, is_open)
