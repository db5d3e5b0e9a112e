"""Watches the locked mode of a session, and corrects the choice when its time or power has drifted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Generator, Tuple

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import BoardPoller, Interval
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import FixedBudget, Selection
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.correction import Backoff, WithEarlier, moved, rescaled
from lightning_powertrain.tuning.drift import Blocks, Drift, DriftDetector, Sign
from lightning_powertrain.tuning.explorer import Explorer
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.mode_runner import Awaited, Waiting
from lightning_powertrain.tuning.outcome import Action, Correction, Outcome
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.remaining import TimeLeft

if TYPE_CHECKING:
    from lightning_powertrain.tuning.session import TuningSession

# Modes of a short profile. The reference, which the predictor starts from, has not drifted.
_MODES_AGAIN = 10
# A tried mode that is off by more than this from the corrected prediction disproves it.
_BROKEN = 0.10
# If the board throttles below the ceiling too, that comes down by so much; and heat is lost in a mode well below it.
_FURTHER_DOWN = 0.9
_COOL = 0.7
# What is looked for in short blocks.
_SOON: tuple[Sign, ...] = ("over budget",)
# A move so large is likely another kind of work, for which one factor does not do.
_FAR = 0.25

Choosing = Generator[Awaited, None, Tuple[Outcome, bool]]
Correcting = Generator[Awaited, None, Tuple[Outcome, Action]]


class LockedWatch:
    """Waits until the locked mode has drifted, and the choice may be corrected.

    Args:
        selection: The choice, with its measurement.
        poller: Reads power and health; must be running.
        may_correct: Whether a correction may begin now, given what the locked mode measures now.
    """

    def __init__(self, selection: Selection, poller: BoardPoller, may_correct: Callable[[Measurement], bool]) -> None:
        before, objective = selection.measured, selection.objective
        assert before is not None
        self._poller = poller
        self._may_correct = may_correct
        self._detectors = [
            (Blocks(selection.mode, before.power_w), DriftDetector(before, objective)),
            (Blocks(selection.mode, before.power_w, short=True), DriftDetector(before, objective, _SOON)),
        ]
        self._has_warned = False
        self.is_blind = False
        """Whether power cannot be read, so that nothing can be corrected."""
        self.drift: Drift
        """What has drifted; set once the wait is over."""

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        samples, drift = self._poller.taken(), None
        for blocks, detector in self._detectors:
            block = blocks.add(interval, samples)
            if block is not None:
                self._see_power(block.power_samples > 0)
                drift = detector.add(block) or drift
        if drift is None or self.is_blind or not self._may_correct(drift.now):
            return False
        self.drift = drift
        return True

    def _see_power(self, is_seen: bool) -> None:
        self.is_blind = not is_seen
        if self.is_blind and not self._has_warned:
            self._has_warned = True
            reason = self._poller.power_trouble or self._poller.trouble or "no reading"
            what = (
                "the power of the board can no longer be read (%s): the locked mode stays, and is not corrected "
                "until power can be read again"
            )
            warn(what, reason, see="troubleshooting.md#permissions-sensors-and-containers")


class DriftHandler:
    """Watches the locked mode to the end of the job, and corrects the choice.

    Args:
        session: The session, in phase LOCKED when :meth:`run` starts.
    """

    def __init__(self, session: TuningSession) -> None:
        self._session = session
        self._runner = session.runner
        self._backoff = Backoff()
        self._poller = BoardPoller(session.runner.device)
        self._watch: LockedWatch | None = None
        self._started_s = session.runner.device.clock.now()
        self._ceiling_w = math.inf
        self._reusable: Profile | None = None

    @property
    def is_blind(self) -> bool:
        """Whether the watch is paused, since power cannot be read."""
        return self._watch is not None and self._watch.is_blind

    @property
    def reusable_profile(self) -> Profile:
        """What a later run of this job can start from: after a drift also the earlier measurements, rescaled."""
        return self._reusable or self._session.profile

    def close(self) -> None:
        """Stop polling the board."""
        self._poller.stop()

    def run(self) -> Waiting:
        """Watch and correct until corrections have become too many."""
        clock = self._runner.device.clock
        corrections: tuple[Correction, ...] = ()
        while not self._backoff.is_exhausted:
            drift = yield from self._watched()
            drifted_s = clock.now()
            self._session.observers.drifted(drift)
            self._runner.check_open()
            # A choice that did not last for long is not made again in the same way.
            repeated = self._backoff.is_soon(drifted_s) and corrections[-1].action != "profiled again"
            outcome, action = yield from self._corrected(drift, repeated, drifted_s)
            corrections += (Correction(drift, action, outcome.selection.mode, clock.now() - drifted_s),)
            self._session.lock(replace(outcome, corrections=corrections))
            self._backoff.corrected(clock.now())

    def _watched(self) -> Generator[Awaited, None, Drift]:
        outcome = self._session.outcome
        assert outcome is not None
        self._runner.pollers.stop()
        self._poller.start()
        self._watch = LockedWatch(outcome.selection, self._poller, self._may_correct)
        yield self._watch
        self._poller.stop()
        self._runner.pollers.start()
        return self._watch.drift

    def _may_correct(self, now: Measurement) -> bool:
        return self._backoff.allows(self._runner.device.clock.now()) and self._can_pay(now, 2)

    def _corrected(self, drift: Drift, repeated: bool, drifted_s: float) -> Correcting:
        # A hard limit begins a new profile in the slowest modes: what is known is worth a try first.
        is_outdated = repeated or (_is_far(drift) and not self._session.config.hard_limit)
        if drift.is_throttling or not is_outdated or not self._can_profile(drift.now):
            outcome, is_valid = yield from self._choose_again(drift, drifted_s)
            satisfied = is_valid and outcome.selection.is_confirmed
            if satisfied or drift.is_throttling or not self._can_profile(drift.now):
                return outcome, "kept" if outcome.selection.mode == drift.before.mode else "chosen again"
        return (yield from self._profile_again()), "profiled again"

    def _choose_again(self, drift: Drift, drifted_s: float) -> Choosing:
        """Measure the modes that predictions, corrected by the drift of the locked mode, expect to be better.

        Returns the outcome, and whether the corrected predictions are valid.
        """
        session, runner, locked = self._session, self._runner, self._session.outcome
        assert locked is not None
        earlier = self.reusable_profile
        runner.start_over()
        if drift.is_throttling:
            # At the limit of its cooling the board draws on average what it can dissipate.
            self._ceiling_w = min(_FURTHER_DOWN * self._ceiling_w, drift.now.power_w, drift.before.power_w)
            runner.profile = runner.profile.with_measurements(drift.blocks)
            runner.apply(self._cool_mode(earlier))
            yield from runner.cooled()
        else:
            earlier = rescaled(earlier, drift.time_ratio, drift.power_ratio)
            runner.profile = runner.profile.with_measurements([drift.now])
        predictor = WithEarlier(session.config.predictor, earlier)
        objective = moved(locked.selection.objective, drift)
        asked = FixedBudget(objective, str(objective))
        budget = self._budget(replace(session.config, predictor=predictor, budget=asked), session.job)
        search = budget.search(drift.now, 0, with_first_modes=False)
        plan = ProfilingPlan(())
        search, expected = yield from Explorer(session, budget, TimeLeft(runner.window, plan, 0)).explore(search, plan)
        best = search.best(runner.profile)
        best = replace(expected[best.mode], measured=best.measured) if best.mode in expected else best
        self._reusable = predictor.together(runner.profile)
        outcome = session.settled(search, best, runner.device.clock.now() - drifted_s)
        return outcome, _is_valid(drift, [*expected.values()], runner.profile)

    def _cool_mode(self, known: Profile) -> PowerMode:
        """The fastest measured mode in which the board cools down; if there is none, the lowest."""
        modes = self._runner.device.modes
        cool = [each for each in known.measurements if each.mode in modes and each.power_w <= _COOL * self._ceiling_w]
        return min(cool, key=lambda each: each.time_ms).mode if cool else modes.lowest

    def _profile_again(self) -> Generator[Awaited, None, Outcome]:
        """Start over as the job did, with fewer modes; those in which the board throttles stay marked."""
        self._runner.start_over()
        self._runner.keep(self._runner.start_mode)
        # Whether the job can afford it was checked before.
        outcome = yield from self._session.tune(self._budget(self._short_config(), JobLength()))
        assert outcome is not None
        self._reusable = outcome.profile
        return outcome

    def _budget(self, config: TuningConfig, job: JobLength) -> ProfilingBudget:
        return replace(self._session.profiling_budget(config), job=job, ceiling_w=self._ceiling_w)

    def _short_config(self) -> TuningConfig:
        config = self._session.config
        return replace(config, max_modes=max(_MODES_AGAIN, config.predictor.minimum_modes))

    def _can_profile(self, now: Measurement) -> bool:
        """Whether the rest of the job can afford a short profile; a hard limit must be kept at any cost."""
        return self._session.config.hard_limit or self._can_pay(
            now, 1 + self._short_config().most_modes(self._runner.space)
        )

    def _can_pay(self, now: Measurement, windows: int) -> bool:
        """Whether so many windows fit into the share of what is left of the job."""
        session = self._session
        spent_s = self._runner.device.clock.now() - self._started_s
        left_s = session.job.seconds_left(now.time_ms, session.stopwatch.minibatches, spent_s)
        return windows * self._runner.window.seconds(now.time_ms) <= session.config.max_share * left_s


def _is_far(drift: Drift) -> bool:
    return max(abs(drift.time_ratio - 1), abs(drift.power_ratio - 1)) > _FAR


def _is_valid(drift: Drift, tried: list[Selection], profile: Profile) -> bool:
    """Whether measured modes met their predictions; if none was measured, whether the drift was a small one."""
    measured = {each.mode: each for each in profile.measurements}
    errors = [
        max(abs(measured[each.mode].time_ms / each.time_ms - 1), abs(measured[each.mode].power_w / each.power_w - 1))
        for each in tried
        if each.mode in measured
    ]
    return max(errors) <= _BROKEN if errors else not _is_far(drift)
