"""A course that goes on after the lock: it watches the locked mode, and corrects the choice when that has drifted."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import VitalsSampler
from lightning_powertrain.profiling import Interval, Measurement, Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.correction import Experienced, Restraint, moved, rescaled
from lightning_powertrain.tuning.course import Course, Steps
from lightning_powertrain.tuning.events import Action, Correction, Outcome, Phase
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.scope import Job, Scope, prepare_search
from lightning_powertrain.tuning.settings import Settings
from lightning_powertrain.tuning.watch import Blocks, Drift, DriftDetector, Sign
from lightning_powertrain.warning import warn

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


class AdaptiveCourse(Course):
    """Watches the locked mode to the end of the job. Takes what :class:`Course` does."""

    # What is added to the course, with its value before the first lock.
    _started_s = 0.0
    _done = 0
    _ceiling_w = math.inf
    _drift: Drift | None = None
    _drifted_s = 0.0
    _action: Action = "chosen again"
    _corrections: tuple[Correction, ...] = ()
    _vitals: VitalsSampler | None = None
    _experience: Profile | None = None
    _has_told_of_blindness = False
    _locked: Outcome

    @property
    def experience(self) -> Profile:
        return self._experience or self.profile

    def start(self) -> None:
        self._started_s = self._bench.device.clock.now()
        super().start()

    def interval_ended(self, interval: Interval) -> bool:
        self._done += interval.minibatches
        return super().interval_ended(interval)

    def stop(self) -> None:
        super().stop()
        if self._vitals is not None:
            self._vitals.stop()

    def _run(self) -> Steps:
        yield from super()._run()
        if self._audience.phase is Phase.LOCKED:
            yield from self._adapt()

    def _adapt(self) -> Steps:
        restraint = Restraint()
        self._vitals = VitalsSampler(self._bench.device)
        while not restraint.is_exhausted:
            self._drift = yield from self._watched(self._vitals, restraint)
            self._drifted_s = self._bench.device.clock.now()
            self._tell("drifted", self._drift)
            yield from self._correct(self._drift, restraint.is_soon(self._drifted_s))
            restraint.corrected(self._bench.device.clock.now())

    def _watched(self, vitals: VitalsSampler, restraint: Restraint) -> Generator[None, Interval, Drift]:
        """Train on in the locked mode until it has drifted and may be corrected."""
        selection = self._locked.selection
        assert selection.measured is not None
        self._bench.samplers.stop()
        vitals.start()
        before, objective = selection.measured, selection.objective
        detectors = [
            (Blocks(selection.mode, before.power_w), DriftDetector(before, objective)),
            (Blocks(selection.mode, before.power_w, short=True), DriftDetector(before, objective, _SOON)),
        ]
        while True:
            interval = yield
            samples, drift = vitals.taken(), None
            for blocks, detector in detectors:
                block = blocks.add(interval, samples)
                if block is not None:
                    self._see_power(block.power_samples > 0, vitals)
                    drift = detector.add(block) or drift
            now_s = self._bench.device.clock.now()
            may_correct = not self.is_blind and restraint.allows(now_s)  # Nothing can be measured without power.
            if drift is not None and may_correct and self._can_pay(drift.now, 2):
                vitals.stop()
                self._bench.samplers.start()
                return drift

    def _see_power(self, is_seen: bool, vitals: VitalsSampler) -> None:
        self.is_blind = not is_seen
        if self.is_blind and not self._has_told_of_blindness:
            self._has_told_of_blindness = True
            reason = vitals.power_trouble or vitals.trouble or "no reading"
            what = (
                "the power of the board can no longer be read (%s): the watch over the locked mode is paused until it "
                "can be again, and the mode stays"
            )
            warn(what, reason, see="troubleshooting.md#permissions-sensors-and-containers")

    def _correct(self, drift: Drift, soon: bool) -> Steps:
        repeated = soon and self._action != "profiled again"
        # A hard budget begins a new profile in the slowest modes: what is known is worth a try first.
        is_outdated = repeated or (_is_far(drift) and not self._settings.hard)
        if drift.is_throttling or not is_outdated or not self._can_profile(drift.now):
            outcome, is_believed = yield from self._choose_again(drift)
            satisfied = is_believed and outcome.selection.is_confirmed
            if satisfied or drift.is_throttling or not self._can_profile(drift.now):
                self._action = "kept" if outcome.selection.mode == drift.before.mode else "chosen again"
                self._keep(outcome)
                return
        self._action = "profiled again"
        yield from self._profile_again()

    def _choose_again(self, drift: Drift) -> Generator[None, Interval, tuple[Outcome, bool]]:
        """Try what predictions, corrected by what the locked mode shows, say is better.

        Returns the outcome, and whether the corrected predictions are to be believed.
        """
        earlier = self.experience
        self._bench.start_over()
        if drift.is_throttling:
            # Held at the edge of what it can bear, it draws on average what it can get rid of.
            self._ceiling_w = min(_FURTHER_DOWN * self._ceiling_w, drift.now.power_w, drift.before.power_w)
            self._bench.profile = self.profile.with_measurements(drift.blocks)
            self._bench.apply(self._cool_mode(earlier))
            yield from self._bench.cooled()
        else:
            earlier = rescaled(earlier, drift.time_ratio, drift.power_ratio)
            self._bench.profile = self.profile.with_measurements([drift.now])
        predictor = Experienced(self._settings.predictor, earlier)
        objective = moved(self._locked.selection.objective, drift)
        settings = replace(self._settings, predictor=predictor, objective=objective)
        search = prepare_search(self._bench.space, settings, drift.now, 0, False, self._ceiling_w)
        search, expected = yield from self._look_for_the_best(search, ProfilingPlan(()), settings, self._ceiling_w)
        best = search.best(self.profile)
        best = replace(expected[best.mode], measured=best.measured) if best.mode in expected else best
        self._experience = predictor.together(self.profile)
        outcome = self._settled(search, best, self._bench.device.clock.now() - self._drifted_s)
        return outcome, _is_believed(drift, [*expected.values()], self.profile)

    def _cool_mode(self, known: Profile) -> PowerMode:
        """The fastest known mode in which the board loses heat; if there is none, the lowest."""
        modes = self._bench.device.modes
        cool = [each for each in known.measurements if each.mode in modes and each.power_w <= _COOL * self._ceiling_w]
        return min(cool, key=lambda each: each.time_ms).mode if cool else modes.mode(0)

    def _profile_again(self) -> Steps:
        """Begin anew as the job did, with fewer modes; those in which the board throttles stay marked."""
        bench = self._bench
        bench.start_over()
        self._settings = self._short_settings()
        # What it may cost was checked before.
        self._scope = Scope(bench.space, self._settings, bench.window, bench.reused, Job(), self._ceiling_w)
        self._enter(Phase.PROFILING)
        bench.keep(bench.found)
        yield from self._tune()

    def _keep(self, outcome: Outcome) -> None:
        if self._drift is not None:
            seconds = self._bench.device.clock.now() - self._drifted_s
            correction = Correction(self._drift, self._action, outcome.selection.mode, seconds)
            self._corrections += (correction,)
        if self._drift is None or self._action == "profiled again":
            self._experience = outcome.profile
        self._locked = replace(outcome, corrections=self._corrections)
        super()._keep(self._locked)

    def _budget_missed(self, outcome: Outcome, excess: float, strict: bool) -> None:
        # Hours into a job it is no error of the user's that the budget cannot be met any more.
        super()._budget_missed(outcome, excess, strict and self._drift is None)

    def _short_settings(self) -> Settings:
        return replace(self._settings, modes=max(_MODES_AGAIN, self._settings.predictor.minimum_modes))

    def _can_profile(self, now: Measurement) -> bool:
        """Whether the rest of the job can pay for a short profile; a hard budget has to be kept at any price."""
        return self._settings.hard or self._can_pay(now, 1 + int(self._short_settings().modes))

    def _can_pay(self, now: Measurement, windows: int) -> bool:
        """Whether so many windows fit into the share of what is left of the job."""
        spent_s = self._bench.device.clock.now() - self._started_s
        left_s = self._job.seconds_left(now.time_ms, self._done, spent_s)
        return windows * self._bench.window.seconds(now.time_ms) <= self._settings.max_share * left_s


def _is_far(drift: Drift) -> bool:
    return max(abs(drift.time_ratio - 1), abs(drift.power_ratio - 1)) > _FAR


def _is_believed(drift: Drift, tried: list[Selection], profile: Profile) -> bool:
    """Whether modes that were tried kept what was expected; if none was tried, whether the drift was a small one."""
    measured = {each.mode: each for each in profile.measurements}
    errors = [
        max(abs(measured[each.mode].time_ms / each.time_ms - 1), abs(measured[each.mode].power_w / each.power_w - 1))
        for each in tried
        if each.mode in measured
    ]
    return max(errors) <= _BROKEN if errors else not _is_far(drift)
