"""How a job starts: in the mode that the board was in, or in the best mode of an earlier run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.logs import warn
from lightning_powertrain.selection import select_measured
from lightning_powertrain.tuning.history import ContradictionError, History
from lightning_powertrain.tuning.mode_runner import Measuring
from lightning_powertrain.tuning.phase import Phase

if TYPE_CHECKING:
    from lightning_powertrain.tuning.session import TuningSession


class JobStart:
    """Measures the mode that the job started in; after a warm start the best mode of the earlier run instead.

    Args:
        session: The session.
    """

    def __init__(self, session: TuningSession) -> None:
        self._session = session
        self._runner = session.runner
        self._best_before: PowerMode | None = None

    def warm_start(self, history: History) -> None:
        """Use the measurements of an earlier run; if they were enough to choose a mode, set the best one at once.

        Under a hard limit the board stays in the lowest mode until a measurement has confirmed the earlier ones.

        Raises:
            ClosedError: If an observer or a signal handler closed the session meanwhile.
        """
        session, runner = self._session, self._runner
        if not history.belongs_to(runner.device):
            warn("the measurements of %s are of another board: profiling starts over", history.source, see="cache.md")
            return
        runner.profile = runner.warm.begin(history, runner.profile)
        if session.plan is not None and history.spent is not None:
            session.plan.ledger.before = history.spent
        session.observers.warm_started(history)
        runner.check_open()
        start = runner.warm.find(runner.profile, runner.start_mode)
        if history.finished and start is not None and not session.config.hard_limit:
            best = history.kept or select_measured(session.config.objective_from(start), runner.profile, start).mode
            if best != runner.start_mode and best in runner.device.modes:
                self._best_before = runner.apply(best)

    def measured(self) -> Measuring:
        """Measure the mode that is set; returns the measurement of the mode that the job started in.

        Raises:
            ContradictionError: If the measurements of the earlier run no longer hold.
        """
        session, runner = self._session, self._runner
        if self._best_before is not None:
            mode, self._best_before = self._best_before, None
            session.enter(Phase.VERIFYING)
            yield from runner.measured_cool(mode)
            start = runner.warm.find(runner.profile, runner.start_mode)
            assert start is not None
            return start
        session.enter(Phase.MEASURING_START)
        is_warm = runner.start_mode in runner.warm.modes
        measured = [each for each in runner.profile.measurements if each.mode == runner.start_mode]
        if measured and not is_warm:
            return measured[0]  # Measured before the history was dropped.
        start = yield from runner.measured_cool(runner.device.current_mode())
        if not is_warm:
            with runner.computing():
                runner.warm.check_predicted(runner.profile, start, session.config.predictor)
        return start

    def drop_history(self, contradiction: ContradictionError) -> None:
        """Drop the measurements of the earlier run, and return to the start mode."""
        session, runner = self._session, self._runner
        assert runner.warm.history is not None
        what = "the measurements of %s no longer hold: %s. Profiling starts over"
        see = "cache.md#what-a-second-job-does-with-it"
        warn(what, runner.warm.history.source, contradiction, see=see)
        runner.profile = runner.warm.dropped(runner.profile)
        session.outcome = None
        runner.keep(runner.start_mode)
