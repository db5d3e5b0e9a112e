"""The tuner: a training loop reports its minibatches to it; it finds the best power mode and locks it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import TracebackType
from typing import Literal

from lightning_powertrain.boards import Board
from lightning_powertrain.devices import BaseDevice, Samplers
from lightning_powertrain.logs import log_swallowed, warn
from lightning_powertrain.prediction import BasePredictor, default_predictor
from lightning_powertrain.profiling import Interval, Profile, Provenance, Stopwatch, WindowPlan
from lightning_powertrain.selection import Objective, parse_budget
from lightning_powertrain.tuning.checks import check_device, check_predictor, check_seed, check_switches
from lightning_powertrain.tuning.config import MAX_MODES, TuningConfig
from lightning_powertrain.tuning.history import History
from lightning_powertrain.tuning.mode_runner import ClosedError, ModeRunner
from lightning_powertrain.tuning.observers import Observer, ObserverList
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.plan import check_hard, check_modes, check_precision, check_share
from lightning_powertrain.tuning.profiling_budget import JobLength
from lightning_powertrain.tuning.session import TuningSession
from lightning_powertrain.tuning.status import IDLE, Status, failed

# A locked mode is watched for minutes, so that it need not be looked at after each minibatch.
_LOCKED_INTERVAL_S = 1.0
_STOPPED = "troubleshooting.md#tuning-stops"


class Tuner:
    """Moves a device through power modes while a job trains, learns what they cost, and locks the best one.

    It measures the mode that the job started in and some that tell most about the others, predicts those, and goes on
    where the best one for the budget is to be expected (:class:`~lightning_powertrain.tuning.search.Search`). The
    mode that stays is always one that was measured, and within the budget by more than the noise of its measurement;
    :meth:`stop` puts the board back as it was found.

    Training is sacred: whatever goes wrong in here restores the board, is logged once as a warning, and lets training
    go on; ``strict=True`` raises it instead. No random state of torch, numpy or Python is touched.

    Args:
        device: The board.
        budget: What to look for: ``30`` or ``"30 W"``, ``"120 ms"``, ``"energy"``, ``"edp"``, an objective of your
            own, or None for "neither slower nor hungrier than the mode the job started in".
        predictor: Predicts the modes that are not measured; by default a transfer from the bundled reference.
        modes: How many modes to measure, at least what the predictor needs; None for 50, or all that a smaller board
            has; ``"auto"`` for as many as it takes until no other promises to be better than the best measured one by
            more than 0.3 %, at most 50. Up to five more follow while one promises to be better by 1 %.
        max_share: Largest share of the job's time that profiling may take; fewer modes are measured if need be.
        precision: A mode is measured until its mean time and power are known as well as this, the half-width of their
            95 % confidence intervals relative to the mean, or for 40 minibatches; None for always 40.
        seed: Makes the sample of modes reproducible.
        hard: Never go beyond a power budget, not even to measure: for a supply that really ends there. Starts from the
            lowest mode and feels its way up, which takes longer; see docs/budgets.md for how well it keeps the limit.
        strict: Raise errors, and treat a budget that no mode can meet as one.
        match_threads: Keep torch from computing with more threads on the CPU than there are cores online. Off by
            default: another number of threads may change the last bits of what is computed there.
        adapt: Watch the mode once it is locked, and choose again if its time or power moves for good, or if the board
            throttles in it; see docs/drift.md.
        observers: Told of every step.
        samplers: What samples power and health of the board, by default every 0.1 s and 1 s.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        with Tuner(device, "30 W").start(minibatches=len(loader)) as tuner:
            for batch in loader:
                train(batch)
                tuner.minibatch_ended()
    """

    def __init__(
        self,
        device: BaseDevice,
        budget: float | str | Objective | None = None,
        *,
        predictor: BasePredictor | None = None,
        modes: int | Literal["auto"] | None = None,
        max_share: float = 0.1,
        precision: float | None = 0.02,
        seed: int = 0,
        hard: bool = False,
        strict: bool = False,
        match_threads: bool = False,
        adapt: bool = True,
        observers: Sequence[Observer] = (),
        samplers: Samplers | None = None,
    ) -> None:
        objective = parse_budget(budget)
        check_switches(hard=hard, strict=strict, match_threads=match_threads, adapt=adapt)
        check_seed(seed)
        check_device(device)
        if predictor is None:  # Not "or": a predictor may have a length.
            predictor = default_predictor(seed=seed)
        check_predictor(predictor)
        check_modes(modes, predictor.minimum_modes, len(device.modes))
        check_share(max_share)
        check_hard(hard, objective)
        check_precision(precision)
        self._device = device
        self._samplers = Samplers(device) if samplers is None else samplers
        self._precision = precision
        most = min(MAX_MODES, len(device.modes)) if modes is None else modes
        self._config = TuningConfig(objective, predictor, most, max_share, seed, strict, match_threads, hard, adapt)
        self._observers = ObserverList(observers, strict)
        self._session: TuningSession | None = None
        self._failure: Exception | None = None
        self._stopwatch = Stopwatch(device.clock)

    @property
    def phase(self) -> Phase:
        """Where the tuner stands."""
        return self._session.phase if self._session else Phase.IDLE

    @property
    def status(self) -> Status:
        """Where the tuner stands, or why nothing was tuned: one word and one sentence."""
        if self._failure is not None:
            return failed(self._failure)
        return self._session.status if self._session else IDLE

    @property
    def device(self) -> BaseDevice:
        """The board."""
        return self._device

    @property
    def profile(self) -> Profile | None:
        """What was measured so far; None before the first measurement."""
        return self._session.profile if self._session and len(self._session.profile) else None

    @property
    def reusable_profile(self) -> Profile | None:
        """What a later run can start from: the profile; after a drift also the earlier measurements, rescaled."""
        reusable = self._session.drift.reusable_profile if self._session else ()
        return reusable if isinstance(reusable, Profile) and len(reusable) else None

    @property
    def outcome(self) -> Outcome | None:
        """The result; None until a mode was chosen."""
        return self._session.outcome if self._session else None

    @property
    def watch_is_paused(self) -> bool:
        """Whether a mode is locked but not watched, since the power of the board can no longer be read."""
        return self._session is not None and self.phase is Phase.LOCKED and self._session.drift.is_blind

    # What a training loop calls.

    def start(
        self,
        *,
        minibatches: int | None = None,
        seconds: float | None = None,
        prefetched: int = 0,
        workload: str = "unnamed",
    ) -> Tuner:
        """Remember the state of the board, and start to measure.

        Args:
            minibatches: Length of the job; None if not known, and then it counts as long enough.
            seconds: Time limit of the job, on the device's clock; None without one.
            prefetched: Minibatches that the data loader keeps ready: ``num_workers * prefetch_factor``.
            workload: Name of the job, for the profile.

        Returns:
            This tuner, which is a context manager that stops it.
        """
        self.stop()
        device, config = self._device, self._config
        window = WindowPlan(discard=max(1, prefetched), settle_s=device.settle_s, precision=self._precision)
        asked = {"seed": config.seed, "modes": config.modes, "window": asdict(window)}
        about = Provenance(device.board.key, workload, device.simulated, {**_described(device.board), **asked})
        profile = Profile(device.modes.knobs, about)
        runner = ModeRunner(device, self._samplers, config, window, profile)
        job = JobLength(math.inf if minibatches is None else minibatches, math.inf if seconds is None else seconds)
        self._failure = None
        self._session = TuningSession(runner, config, job, self._observers)
        self._stopwatch = Stopwatch(device.clock)
        with self._guarded(self._session):
            self._session.start()
        return self

    def warm_start(self, history: History) -> None:
        """Use what an earlier run of this very job measured on this board, or this run before it broke off.

        It replaces measuring the same again. If it was enough to choose a mode, the best one is set at once, and stays
        if a new measurement of it agrees. If any new measurement differs by more than 10 %, the earlier ones are
        dropped, and measuring starts over.

        Args:
            history: The earlier measurements. Call this right after :meth:`start`: measuring begins after 10
                minibatches.
        """
        session = self._session
        if session is not None and session.is_active:
            with self._guarded(session):
                session.warm_start(history)

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report that one minibatch has ended.

        Args:
            cycle_complete: False for all but the last minibatch of a gradient-accumulation cycle.
        """
        session = self._session
        if session is None or session.runner.is_closed:
            return
        try:
            self._device.minibatch_ended()
            if session.is_active:
                at_least_s = _LOCKED_INTERVAL_S if session.phase is Phase.LOCKED else 0.0
                intervals = self._stopwatch.minibatch_ended(cycle_complete=cycle_complete, at_least_s=at_least_s)
                if intervals:
                    self._go_on(session, intervals)
        except Exception as error:
            self.give_up(error)
        finally:
            if session.close_is_due:
                self.stop()

    def interrupt(self) -> None:
        """Report that something other than training goes on: validation, a checkpoint, the edge of an epoch.

        The time from the last end of a minibatch to the next is then no measure of a minibatch.
        """
        self._stopwatch.interrupt()

    def give_up(self, error: Exception) -> None:
        """Report that something which tuning needs has failed: the board is restored, and training continues.

        Args:
            error: What was raised; it is part of the one warning.

        Raises:
            Exception: ``error`` itself, under ``strict``.
        """
        state = "the board is restored"
        self._failure = error
        try:
            self._close()
        except Exception as failure:
            log_swallowed("restoring the board", failure)
            state = _not_restored(failure)
        if self._config.strict:
            raise error
        warn("power-mode tuning has stopped (%r); %s, and training continues unchanged", error, state, see=_STOPPED)

    def stop(self) -> None:
        """Restore the board. May be called at any time, and more than once.

        Also from an observer, and from a signal handler: where that comes in the middle of a switch of power modes, the
        board is restored as soon as the switch is over.

        Raises:
            DeviceError: If some setting could not be restored, under ``strict``; otherwise that is a warning.
        """
        try:
            self._close()
        except Exception as error:
            if self._config.strict:
                raise
            warn("%s", _not_restored(error), see="safety.md#by-hand")

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()

    @contextmanager
    def _guarded(self, session: TuningSession) -> Iterator[None]:
        """Whatever fails in the body must not fail training."""
        try:
            with self._device.computing():
                yield
        except ClosedError:
            pass  # An observer or a signal handler has closed the session.
        except Exception as error:
            self.give_up(error)
        finally:
            if session.close_is_due:
                self.stop()

    def __enter__(self) -> Tuner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception as failure:
            if error is None:
                raise
            # The user's own error is the one that has to surface.
            warn("%s", _not_restored(failure), see="safety.md#by-hand")

    def _go_on(self, session: TuningSession, intervals: Sequence[Interval]) -> None:
        with self._device.computing():
            session.intervals_ended(intervals)
        if not session.is_active and session.phase is not Phase.LOCKED:
            self.stop()  # The job is too short for tuning.
        # What the session has just done (fitting, switching) is no part of the next minibatch.
        self._stopwatch.restart()


def _described(board: Board) -> dict[str, str]:
    """Which kind of board it is, and what runs on it; its serial number is left out."""
    known = {"board_model": board.title, "l4t_release": board.identity.get("release", "")}
    known["tpc_pg_mask"] = board.identity.get("tpc_pg_mask", "")
    return {name: text for name, text in known.items() if text}


def _not_restored(error: Exception) -> str:
    return f"the board could not be restored ({error!r}): `powertrain restore` does it by hand"
