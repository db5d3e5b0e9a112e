"""Measurements of an earlier run of the same job, and whether they still hold."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Objective, Selection, select_measured
from lightning_powertrain.tuning.job_ledger import Spent

# What was measured before is contradicted by a difference of more than this. A window knows its means to 2 %; the
# temperature of the room moves power by a few per cent. A change that matters (another dataset, another cooling, a
# neighbour on the board) moves one of the two by more, and a smaller one hardly changes which mode is the best.
_CONTRADICTION = 0.10
# Where the measurements themselves scatter more, so many of their standard errors; likewise of a prediction.
_SPREADS = 3.0

REUSED_FROM = "reused_from"
"""What the provenance of a profile calls the source of measurements that were not made in its own job."""


@dataclass(frozen=True)
class History:
    """What an earlier run of the same job measured.

    Args:
        profile: The measurements.
        source: Where they come from, for people.
        finished: Whether they were enough to choose a mode; else there is more to measure.
        kept: The mode that was chosen for the same budget; None if that is not known.
        spent: What the job has spent by then, if it is this job that resumes; else None.
    """

    profile: Profile
    source: str = "an earlier run"
    finished: bool = True
    kept: PowerMode | None = None
    spent: Spent | None = None

    def belongs_to(self, device: BaseDevice) -> bool:
        """Whether this was measured on a board with the same tables, and not simulated if that is real."""
        about = self.profile.provenance
        same = about.board == device.board.key and about.simulated == device.simulated
        return same and self.profile.knobs == device.modes.knobs

    def serves(self, max_modes: int | str | None) -> bool:
        """Whether a job that asks for so many modes need not measure more of them: the one before asked for as many.

        Where it measured fewer than it asked for, it had no time for more, or no need.
        """
        asked = self.profile.provenance.details.get("max_modes")
        enough = isinstance(max_modes, int) and isinstance(asked, int) and asked >= max_modes
        return self.finished and (asked in ("auto", max_modes) or enough)


class ContradictionError(PowerTrainError):
    """What is measured now is not what was measured before."""


class WarmStart:
    """Measurements of an earlier run that replace new ones. They are part of the profile of a session.

    A mode that is measured again loses its earlier measurements: each mode has either earlier or new ones.
    """

    def __init__(self) -> None:
        self.history: History | None = None
        """Where they come from; None if there are none."""
        self.modes: set[PowerMode] = set()
        """The modes that only the earlier run measured."""

    def begin(self, history: History, profile: Profile) -> Profile:
        """A profile with all measurements of the history before its own; its provenance names their source."""
        self.history = history
        before = (*history.profile.measurements, *history.profile.throttled)
        self.modes = {each.mode for each in before} - {
            each.mode for each in (*profile.measurements, *profile.throttled)
        }
        about = profile.provenance
        described = replace(about, details={**about.details, REUSED_FROM: history.source})
        reused = Profile(profile.knobs, described).with_measurements(each for each in before if each.mode in self.modes)
        return reused.with_measurements((*profile.measurements, *profile.throttled))

    def find(self, profile: Profile, mode: PowerMode) -> Measurement | None:
        """The last earlier measurement of a mode; None if there is none."""
        found = [each for each in profile.measurements if each.mode == mode and mode in self.modes]
        return found[-1] if found else None

    def replaced(self, profile: Profile, fresh: Measurement) -> Profile:
        """A profile with a new measurement in place of the earlier ones of its mode."""
        if fresh.mode in self.modes:
            profile = _without(profile, {fresh.mode})
            self.modes.discard(fresh.mode)
        return profile.with_measurements([fresh])

    def dropped(self, profile: Profile) -> Profile:
        """A profile of the new measurements alone."""
        details = {name: value for name, value in profile.provenance.details.items() if name != REUSED_FROM}
        profile = _without(profile, self.modes)
        self.history, self.modes = None, set()
        return replace(profile, provenance=replace(profile.provenance, details=details))

    def check_predicted(self, profile: Profile, fresh: Measurement, predictor: BasePredictor) -> None:
        """Compare a mode that the earlier run did not measure with a prediction from its measurements.

        Raises:
            ContradictionError: If they differ by more than the prediction may be wrong.
        """
        before = _without(profile, {each.mode for each in profile.measurements} - self.modes)
        if len(before) < predictor.minimum_modes or fresh.throttled_by:
            return
        predictor.fit(before)
        predicted = predictor.predict(np.array([[fresh.mode[knob.name] for knob in profile.knobs]], dtype=np.int64))
        check("time", fresh.time_ms, float(predicted.time_ms[0]), float(predicted.time_spread[0]), fresh.mode)
        check("power", fresh.power_w, float(predicted.power_w[0]), float(predicted.power_spread[0]), fresh.mode)


def check_measured(before: Measurement | None, fresh: Measurement) -> None:
    """Compare a new measurement with an old one of the same mode; one while the board throttled is ignored.

    Raises:
        ContradictionError: If they differ by more than 10 %, and by more than noise.
    """
    if before is not None and not fresh.throttled_by:
        time_noise = math.hypot(before.time_noise, fresh.time_noise)
        check("time", fresh.time_ms, before.time_ms, time_noise, fresh.mode)
        check("power", fresh.power_w, before.power_w, math.hypot(before.power_noise, fresh.power_noise), fresh.mode)


def check(what: str, now: float, before: float, spread: float, mode: PowerMode) -> None:
    """Compare one figure with what it was before.

    Raises:
        ContradictionError: If they differ by more than 10 %, and by more than three times ``spread``.

    >>> check("time", 109.0, 100.0, 0.01, PowerMode(cores=4))
    >>> check("time", 112.0, 100.0, 0.01, PowerMode(cores=4))
    Traceback (most recent call last):
    ...
    lightning_powertrain.tuning.history.ContradictionError: time differs by +12 % from the earlier run (4 cores)
    """
    if abs(now / before - 1) > max(_CONTRADICTION, _SPREADS * spread):
        raise ContradictionError(f"{what} differs by {(now / before - 1) * 100:+.0f} % from the earlier run ({mode})")


def select_now(
    objective: Objective,
    profile: Profile,
    reused: Collection[PowerMode],
    start: Measurement,
    ceiling_w: float = math.inf,
) -> Selection | None:
    """The best of the modes that were measured in this job; None if none was, other than while throttled."""
    now = _without(profile, reused)
    if not now.measurements:
        return None
    return replace(select_measured(objective, now, now.measurements[0], ceiling_w), start=start)


def _without(profile: Profile, modes: Collection[PowerMode]) -> Profile:
    return replace(
        profile,
        measurements=tuple(each for each in profile.measurements if each.mode not in modes),
        throttled=tuple(each for each in profile.throttled if each.mode not in modes),
    )
