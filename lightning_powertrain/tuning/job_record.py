"""The course of a job against its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightning_powertrain.selection.ladder import Limited
from lightning_powertrain.tuning.job_plan import PlannedJob


@dataclass(frozen=True)
class JobRecord:
    """The course of a job with a budget for the whole of it.

    Args:
        budget: The budget, as it is written.
        limited: What it limits.
        total: Seconds or joules for the whole job.
        minibatches: Length of this run.
        points: What the job had spent and what was expected of it, each time that the plan was made; oldest first.
    """

    budget: str
    limited: Limited
    total: float
    minibatches: int
    points: Sequence[PlannedJob] = ()

    def with_point(self, point: PlannedJob) -> JobRecord:
        """This course, and what is expected now."""
        return replace(self, points=(*self.points, point))

    @property
    def now(self) -> PlannedJob:
        """The last point."""
        return self.points[-1]
