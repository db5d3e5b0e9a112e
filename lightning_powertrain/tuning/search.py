"""Which mode to measure next, given what was measured so far."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.prediction import Prediction, Predictor
from lightning_powertrain.profiling import Measurement, Profile, latin_hypercube, visiting_order
from lightning_powertrain.selection import Objective, Selection, expected_improvement, select_measured

FloatArray = npt.NDArray[np.float64]

# Modes that are spread over the whole board before the predictor is asked where to look.
_SPREAD_FIRST = 20
_SPREAD_FIRST_OF_FEW = 15

# Modes to measure between two fits while looking around: a fit takes time in which the job stands still.
_BETWEEN_FITS = 4

# Beyond the modes that were asked for, so many are tried at most...
_MOST_TRIALS = 5
# ... as long as one promises, by expectation, to be better by this share of the cost.
_WORTH_A_TRIAL = 0.01
# Where the search may end early, every mode beyond the first ones has to promise this much.
_WORTH_A_LOOK = 0.003
# Below this a mode has no chance to be the best, and there is nothing left to look at.
_HOPELESS = 1e-5


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


class Search:
    """Looks for the best mode of a board in few measurements.

    First come modes that are spread evenly over the board, the highest among them. Then the predictor says where the
    best mode may be: each next mode is the one of the largest expected improvement on the best measured one, within
    the budget. Once as many as asked for are measured, up to five more are, as long as one promises to be better by
    1 %. A search ``until_settled`` ends as soon as no mode promises more than 0.3 %: further measurements would hardly
    change the choice.

    What comes next depends on the profile alone, so a search can go on from a profile that was begun elsewhere.

    Args:
        space: The modes of the board.
        predictor: Predicts those that were not measured.
        objective: What to look for.
        start: The mode that the job started in, as measured.
        most: Modes to measure; at most the modes of the board. With 0 there are only trials: a search that goes on from
            what the predictor knows already.
        until_settled: Whether to stop earlier once the choice is settled.
        seed: Makes the spread of the first ones reproducible.
    """

    def __init__(
        self,
        space: ModeSpace,
        predictor: Predictor,
        objective: Objective,
        start: Measurement,
        most: int,
        until_settled: bool = False,
        seed: int = 0,
    ) -> None:
        self._space = space
        self._predictor = predictor
        self.objective = objective
        self.start = start
        self.most = most
        self._until_settled = until_settled
        self.ceiling_w = math.inf
        """Modes of more power are neither tried nor chosen: the board has been seen to throttle there."""
        self._design = self._first_modes(seed) if most else []
        self._pending: list[Step] = []
        self._trials = 0
        self.prediction: Prediction | None = None
        """Of all modes, as of the last fit; None before the first."""

    @property
    def first_modes(self) -> list[PowerMode]:
        """The modes that are measured before the predictor is first asked, in this order."""
        return list(self._design)

    def planned(self, profile: Profile) -> Step | None:
        """The next mode, if it is known without another fit."""
        windows = Counter(each.mode for each in profile.throttled)
        measured = {each.mode for each in profile.besides(self.start)}
        # What throttled comes again after all others, once: heat of the mode before may have been the reason.
        for times in (0, 1):
            for mode in self._design:
                if mode not in measured and windows[mode] == times:
                    return Step(mode)
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
        self.prediction = prediction = self._fit(profile)
        promise = self._promise(prediction, profile)
        left = self.most - len(profile.besides(self.start)) if may_look_around else 0
        if left > 0 and promise.max() >= (_WORTH_A_LOOK if self._until_settled else _HOPELESS):
            rows = self._apart(promise, 1 if self._until_settled else min(left, _BETWEEN_FITS))
            self._pending = [self._step(row) for row in rows]
            return self._pending.pop(0)
        # What is tried may be kept, so it has to be expected to meet the budget, not only to have a chance.
        excess = self.objective.excess(prediction.time_ms, prediction.power_w)
        promise = np.where(excess <= excess.min(), promise, 0.0)
        if self._until_settled or self._trials == _MOST_TRIALS or promise.max() < _WORTH_A_TRIAL:
            return None
        self._trials += 1
        return self._step(int(np.argmax(promise)), is_trial=True)

    def best(self, profile: Profile) -> Selection:
        """The best mode that was measured."""
        return select_measured(self.objective, profile, self.start, self.ceiling_w)

    def selection_of(self, step: Step) -> Selection:
        """What is expected of a step, if it was predicted."""
        assert step.expected is not None
        assert self.prediction is not None
        errors = self.prediction.time_error, self.prediction.power_error
        return Selection(step.mode, self.objective, *step.expected, self.start, *errors)

    def _first_modes(self, seed: int) -> list[PowerMode]:
        first = _SPREAD_FIRST_OF_FEW if self._until_settled else _SPREAD_FIRST
        count = min(self.most, max(first, self._predictor.minimum_modes))
        return visiting_order(self._space, latin_hypercube(self._space, count, seed), seed)

    def _fit(self, profile: Profile) -> Prediction:
        if len(profile) < self._predictor.minimum_modes:
            causes = profile.throttled[-1].throttled_by if profile.throttled else "no reason known"
            raise DeviceError(
                f"the board throttled ({causes}) in all but {len(profile)} of the windows: it is too hot, or its "
                "supply too weak, to be measured"
            )
        self._predictor.fit(profile)
        prediction = self._predictor.predict(self._space.array)
        if not (np.isfinite(prediction.time_ms).all() and np.isfinite(prediction.power_w).all()):
            raise ArithmeticError("the predictor gave times or powers that are not finite")
        return prediction

    def _promise(self, prediction: Prediction, profile: Profile) -> FloatArray:
        """Expected improvement of each mode on the best measured one; 0 where there is nothing left to learn."""
        best = self.best(profile)
        promise = expected_improvement(self.objective, prediction, self._cost_to_beat(best, prediction))
        if not best.is_confirmed and promise.max() < _HOPELESS:  # No mode can be hoped to meet the budget.
            excess = self.objective.excess(prediction.time_ms, prediction.power_w)
            promise = np.clip(1 - excess / best.excess, 0.0, 1.0) if best.excess else promise
        for mode in {each.mode for each in profile.measurements} | profile.throttling_modes:
            if mode in self._space:
                promise[self._space.index(mode)] = 0.0
        promise[prediction.power_w > self.ceiling_w] = 0.0
        return promise

    def _cost_to_beat(self, best: Selection, prediction: Prediction) -> float:
        """That of the best measured mode, if it meets the budget; else any mode that does is welcome."""
        if best.is_confirmed:
            return best.cost
        costs = self.objective.cost(prediction.time_ms, prediction.power_w)
        within = self.objective.excess(prediction.time_ms, prediction.power_w) == 0
        return float(costs[within].max() if within.any() else costs.max())

    def _apart(self, promise: FloatArray, count: int) -> list[int]:
        """The most promising modes of which no two are neighbours, which would tell the same."""
        levels = np.stack(np.unravel_index(np.arange(len(self._space)), self._space.shape), axis=1)
        chosen: list[int] = []
        for row in np.argsort(-promise, kind="stable").tolist():
            if len(chosen) == count or promise[row] < _HOPELESS:
                break
            if all(np.abs(levels[row] - levels[other]).sum() > 1 for other in chosen):
                chosen.append(row)
        return chosen

    def _step(self, row: int, is_trial: bool = False) -> Step:
        assert self.prediction is not None
        expected = float(self.prediction.time_ms[row]), float(self.prediction.power_w[row])
        return Step(self._space.mode(row), is_trial, expected)
