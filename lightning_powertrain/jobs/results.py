"""What the tuning of the last job found out, wherever a framework shows it."""

from __future__ import annotations

from lightning_powertrain.jobs.job_tuner import JobTuner
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning import Outcome, Status


class TuningResults:
    """The results of a :class:`JobTuner`; base of the callbacks of all frameworks."""

    _tuner: JobTuner

    @property
    def outcome(self) -> Outcome | None:
        """All that tuning found out; None until a mode was chosen."""
        return self._tuner.outcome

    @property
    def status(self) -> Status:
        """Where tuning stands, or why nothing was tuned: one word and one sentence."""
        return self._tuner.status

    @property
    def selection(self) -> Selection | None:
        """The choice: the mode, what was predicted, and what was measured once it was set; None until then."""
        return self._tuner.selection

    @property
    def profile(self) -> Profile | None:
        """What was measured so far, mode by mode; None before the first measurement."""
        return self._tuner.profile
