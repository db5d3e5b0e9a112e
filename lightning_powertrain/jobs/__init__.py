"""What the callbacks of all frameworks have in common: the jobs of a trainer, and how they are tuned."""

from __future__ import annotations

from lightning_powertrain.jobs.job import BaseJob
from lightning_powertrain.jobs.job_tuner import JobTuner, TuningResults

__all__ = ["BaseJob", "JobTuner", "TuningResults"]
