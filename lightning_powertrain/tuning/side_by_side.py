"""Compares the choice with the start mode, side by side, where the budget is a share of the start mode's time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Generator

from lightning_powertrain.profiling import WindowPlan
from lightning_powertrain.profiling.pooling import with_pooled
from lightning_powertrain.selection import Objective
from lightning_powertrain.tuning.mode_runner import Awaited
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.search import Search

if TYPE_CHECKING:
    from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
    from lightning_powertrain.tuning.session import TuningSession

# A mode is known well enough after so many windows of so many minibatches, or of fewer where they are slow. Both modes
# are measured in turns, since each visit to a mode differs by half a per cent.
_ENOUGH, _MINIBATCHES, _LONGEST_S = 3, 40, 20.0
# So many windows for one comparison; a choice that turns out worse makes room for the next.
_MOST_WINDOWS = 12
# Of these it usually takes so many in other modes than the start, which count as profiling; or this part of those that
# the job can afford.
_USUAL_WINDOWS, _USUAL_SHARE = 3, 0.5
# A comparison takes at most this part of the rest of the job; where its length is not known, of profiling.
_SHARE_OF_REST, _SHARE_OF_PROFILING = 0.05, 0.5


def usual_s(objective: Objective, start_ms: float, usual: WindowPlan, left_s: float, profiling_s: float) -> float:
    """How long :func:`compared` is expected to take, without the windows in the start mode.

    Args:
        objective: What the budget means.
        start_ms: Time of a minibatch in the start mode.
        usual: How long a mode is measured while profiling.
        left_s: Seconds that the job goes on in the start mode; infinite if not known.
        profiling_s: Seconds that profiling takes until then.

    Returns:
        Seconds; 0 if the start mode sets no limit.
    """
    if not objective.is_relative:
        return 0.0
    seconds = _window(usual, start_ms).seconds(start_ms)
    return seconds * min(_USUAL_WINDOWS, _USUAL_SHARE * _most_windows(seconds, left_s, profiling_s))


def compared(
    session: TuningSession, budget: ProfilingBudget, search: Search, profiling_s: float
) -> Generator[Awaited, None, Search]:
    """Measure the start mode and the best one again, in turns.

    The first window of the start mode is short, and the best of many modes is one whose window was a lucky one: the
    ratio of the two is noisy, and too good on average.

    Args:
        session: The session.
        budget: Makes the search anew once the start mode is known better.
        search: The search that has found the best mode.
        profiling_s: Seconds that profiling has taken so far.

    Returns:
        The search, with the start mode as known then.
    """
    runner, start_ms = session.runner, search.start.time_ms
    window = _window(runner.window, start_ms)
    left_s = session.job.seconds_left(start_ms, session.stopwatch.minibatches)
    for _ in range(_most_windows(window.seconds(start_ms), left_s, profiling_s)):
        best = search.best(runner.profile, runner.warm.modes).measured
        assert best is not None
        least = min((search.start, best), key=lambda each: each.minibatches)
        if least.minibatches >= _ENOUGH * window.minibatches or least.throttled_by:
            break
        session.enter(Phase.VERIFYING)
        begin_s = session.uninterrupted_s()
        runner.keep(least.mode)
        measurement = yield from runner.measured(least.mode, window)
        if measurement.throttled_by:
            break
        runner.profile, mean = with_pooled(runner.profile, least.mode)
        if least.mode == search.start.mode:
            session.trained_on_s += session.uninterrupted_s() - begin_s
            search = budget.renewed(search, runner.space, mean)
    session.enter(Phase.DECIDING)
    return search


def _window(usual: WindowPlan, start_ms: float) -> WindowPlan:
    count = max(usual.least, min(_MINIBATCHES, round(1e3 * _LONGEST_S / start_ms)))
    return replace(usual, minibatches=count, tolerance=None)


def _most_windows(seconds: float, left_s: float, profiling_s: float) -> int:
    """As many windows of so many seconds as the job can afford."""
    most_s = _SHARE_OF_REST * left_s if math.isfinite(left_s) else _SHARE_OF_PROFILING * profiling_s
    return int(min(_MOST_WINDOWS, most_s / seconds))
