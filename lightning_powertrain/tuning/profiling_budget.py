"""How many modes a job can afford to measure, and the search that measures them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.profiling import Measurement, Profile, WindowPlan
from lightning_powertrain.selection import select_measured
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history import WarmStart
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.job_plan import JobPlan
from lightning_powertrain.tuning.plan import ProfilingPlan, plan_within_share
from lightning_powertrain.tuning.safe_search import SafeSearch
from lightning_powertrain.tuning.search import MAX_VERIFICATIONS, Search

# A job that misses the budget for the whole of it in its start mode pays for the fewest useful modes, up to this share.
_MOST_TO_KEEP_BUDGET = 0.3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class ProfilingBudget:
    """How much of a job may go into profiling.

    Args:
        space: The modes of the board.
        config: What the user decided.
        window: How long a mode is measured.
        warm: What an earlier run measured.
        job: How long it is.
        ceiling_w: Power above which the board is known to throttle.
    """

    space: ModeSpace
    config: TuningConfig
    window: WindowPlan
    warm: WarmStart
    job: JobLength
    ceiling_w: float = math.inf

    def plan(self, start: Measurement, profile: Profile) -> tuple[Search, ProfilingPlan]:
        """How many modes the job can pay for, and the search that measures them."""
        config = self.config
        done = len(profile.besides(start))
        most = max(0, self._most(done) - done)
        minimum = config.minimum_modes(self.space)

        def costs_s(count: int) -> list[float]:
            """Seconds of the first modes, and as much as those take for each that the search has yet to choose."""
            if not count:
                return []
            times_ms = self._expected_ms(start, self._search_for(start, done, count).first_modes)
            known = [self.window.seconds(time_ms) for time_ms in times_ms[:count] or [start.time_ms]]
            return known + [sum(known) / len(known)] * (count - len(known))

        job_s = self.job.seconds_left(start.time_ms)
        if config.hard_limit or math.isinf(job_s):
            plan = ProfilingPlan(costs_s(most))
        else:
            fewest = max(0, minimum - done)
            share = max(config.max_share, self._share_to_keep_budget(start, sum(costs_s(fewest)) / job_s))
            plan = plan_within_share(costs_s, most, job_s, share, fewest)
        return self._search_for(start, done, max(len(plan), minimum - done)), plan

    def _share_to_keep_budget(self, start: Measurement, fewest: float) -> float:
        """What else a job may pay that misses its budget in the mode it started in.

        Args:
            start: That mode, as measured.
            fewest: Share of the job that the fewest useful modes take.
        """
        excess = self.config.objective_from(start).excess(np.array([start.time_ms]), np.array([start.power_w]))
        is_missed = isinstance(self.config.budget, JobPlan) and excess[0] > 0
        return fewest * (1 + _ROUNDING) if is_missed and fewest <= _MOST_TO_KEEP_BUDGET else 0.0

    def allowance_s(self, search: Search, plan: ProfilingPlan, profile: Profile) -> float:
        """How long profiling may take; under a hard limit the length of the job is not known until a mode is found."""
        if not self.config.hard_limit:
            return plan.allowance_s
        best = select_measured(search.objective, profile, search.start)
        return self.config.max_share * self.job.seconds_left(best.time_ms)

    def _most(self, done: int) -> int:
        """Modes to know in the end; ``done`` of them were measured already."""
        config = self.config
        if not config.ends_early:
            return done if self._is_served(done) else config.most_modes(self.space)
        most = config.most_modes(self.space)
        # A search that ends by itself may look for a few more: another budget may ask for others.
        return min(len(self.space), max(most, done + MAX_VERIFICATIONS) if self._is_served(done) else most)

    def _is_served(self, done: int) -> bool:
        """Whether the earlier measurements are all that this job needs."""
        history = self.warm.history
        enough = done >= self.config.minimum_modes(self.space)
        return history is not None and enough and history.serves(self.config.max_modes)

    def search(self, start: Measurement, most: int, with_first_modes: bool) -> Search:
        """The search that the configuration asks for.

        Args:
            start: The mode that the job started in, as measured.
            most: Modes to know in the end.
            with_first_modes: Whether to measure some modes before the predictor is asked.
        """
        config = self.config
        kind = SafeSearch if config.hard_limit else Search
        return kind(
            *(self.space, config.predictor, config.objective_from(start), start, most),
            until_settled=config.ends_early,
            seed=config.options.seed,
            with_first_modes=with_first_modes,
            ceiling_w=self.ceiling_w,
        )

    def renewed(self, search: Search, space: ModeSpace, start: Measurement) -> Search:
        """The same search with what is known by now.

        Args:
            search: The search so far.
            space: The modes that are left where a knob does not move.
            start: The mode that the job started in, as measured.
        """
        on_others = replace(self, space=space)
        renewed = on_others.search(start, min(search.most, len(space)), bool(search.first_modes))
        renewed.go_on_from(search)
        return renewed

    def _search_for(self, start: Measurement, done: int, more: int) -> Search:
        return self.search(start, done + more, with_first_modes=not self._is_served(done))

    def _expected_ms(self, start: Measurement, modes: Sequence[PowerMode]) -> list[float]:
        """What minibatches should take in ``modes`` if this job slows down as the reference workload does."""
        reference_ms = self.config.predictor.reference_time_ms(self.space.rows([start.mode, *modes]))
        if reference_ms is None:
            return [start.time_ms] * len(modes)
        return [float(time_ms) for time_ms in start.time_ms * reference_ms[1:] / reference_ms[0]]
