"""Follows a budget that changes while the job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_powertrain.devices import Clock, Interval
from lightning_powertrain.selection.schedule import ChangingBudget
from lightning_powertrain.tuning.mode_runner import Waiting
from lightning_powertrain.tuning.phase import Phase

if TYPE_CHECKING:
    from lightning_powertrain.tuning.session import TuningSession

# The budget is asked for so often, on the clock of the board.
_PERIOD_S = 60.0


class Pause:
    """Waits for some seconds.

    Args:
        clock: The clock of the board.
        seconds: How long.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end_s = clock.now() + seconds

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        return self._clock.now() >= self._end_s


class BudgetKeeper:
    """Asks for the budget once a minute, and chooses again where it is another one.

    Args:
        session: The session, in phase LOCKED when :meth:`run` starts.
        budget: Its budget.
    """

    def __init__(self, session: TuningSession, budget: ChangingBudget) -> None:
        self._session = session
        self._budget = budget

    def run(self) -> Waiting:
        """Follow the budget to the end of the job."""
        session = self._session
        session.runner.pollers.stop()
        while True:
            yield Pause(session.runner.device.clock, _PERIOD_S)
            if self._budget.refresh():
                session.runner.pollers.start()
                yield from self._choose_again()
                session.runner.pollers.stop()

    def _choose_again(self) -> Waiting:
        """Set the mode that is expected to be the best by now, and measure it in one window.

        Where it turns out worse than one that was measured before, that one stays.
        """
        session, runner, outcome = self._session, self._session.runner, self._session.outcome
        assert outcome is not None
        session.enter(Phase.DECIDING)
        search = session.profiling_budget(session.config).search(outcome.selection.start, 0, with_first_modes=False)
        with runner.computing():
            candidate = search.next_by_acquisition(runner.profile, may_explore=False)
        mode = search.best(runner.profile).mode if candidate is None else candidate.mode
        session.enter(Phase.VERIFYING)
        runner.keep(mode)
        yield from runner.measured_cool(runner.device.current_mode())
        session.enter(Phase.DECIDING)
        session.lock(session.settled(search, search.best(runner.profile), outcome.profiling_s))
