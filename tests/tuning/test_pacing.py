"""Profiling that is spread over a job of unknown length."""

from __future__ import annotations

import pytest

from lightning_powertrain import ProfilingOptions, SimulatedDevice, Tuner
from lightning_powertrain.selection import is_confirmed
from lightning_powertrain.tuning import Phase


def tuner(device: SimulatedDevice, **options: bool) -> Tuner:
    return Tuner("30 W", device=device, max_modes=8, verbose=False, strict=True, options=ProfilingOptions(**options))  # type: ignore[arg-type]


def test_profiling_never_takes_more_than_its_share_of_the_time_so_far() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    start_mode, other_s, most = device.current_mode(), 0.0, 0.0
    with tuner(device, spread=True).start() as tuning:
        for _ in range(20_000):
            before_s, mode = device.clock.now(), device.current_mode()
            profile = tuning.profile
            # Between two windows the job trains in a mode that was measured, and found good enough.
            measured = [] if profile is None else [each for each in profile.measurements if each.mode == mode]
            is_good = mode == start_mode or any(each.power_w <= 30 for each in measured)
            tuning.minibatch_ended()
            other_s += 0.0 if is_good else device.clock.now() - before_s
            most = max(most, other_s / device.clock.now())
            if tuning.phase is Phase.LOCKED:
                break
    assert tuning.outcome is not None
    assert is_confirmed(tuning.outcome.selection.objective, tuning.outcome.selection.measured)  # type: ignore[arg-type]
    assert 0.02 < most < 0.1
    assert tuning.outcome.profiling_s < 0.1 * device.clock.now()


@pytest.mark.parametrize("spread", [True, False])
def test_a_job_of_known_length_is_profiled_at_once(spread: bool) -> None:
    device = SimulatedDevice("orin-agx-64gb")
    with tuner(device, spread=spread).start(minibatches=50_000) as tuning:
        while tuning.phase is not Phase.LOCKED:
            tuning.minibatch_ended()
    assert tuning.outcome is not None
    assert device.clock.now() < 2 * tuning.outcome.profiling_s + 120
