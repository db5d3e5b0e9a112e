"""What a job shows besides time and power, through the callback, in files and in checkpoints."""

from __future__ import annotations

import pytest
from fakes import Oracle
from jobs import LIGHTNING_WARNINGS
from timed import LOAD, Job, TimedDevice, tuned

from lightning_powertrain.devices import CpuTimes, Load
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuning.checkpoint import history_from, state_of

pytestmark = [*LIGHTNING_WARNINGS]


class Showing(TimedDevice):
    """The job itself moves its clock, also while it waits for data."""

    def minibatch_started(self) -> None: ...

    def read_load(self) -> Load:
        return Load(0.625)

    def read_cpu_times(self) -> CpuTimes:
        return CpuTimes({0: self.clock.now()}, self.clock.now(), 2 * self.clock.now())


@pytest.fixture
def profile(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    device = Showing()
    callback = tuned(Job(), device)
    assert callback.profile is not None
    return callback.profile


def test_the_wait_for_data_is_what_the_loader_takes(profile: Profile) -> None:
    for measurement in profile.measurements:
        assert measurement.signals.data_wait_ms == pytest.approx(LOAD * measurement.time_ms, rel=0.01)


def test_signals_survive_a_checkpoint_and_older_ones_have_none(profile: Profile) -> None:
    assert {each.signals.gpu_load for each in profile.measurements} == {0.625}
    state = state_of(profile, "board", "workload", "12 W", None)
    assert history_from(state, profile.knobs, "12 W").profile.measurements == profile.measurements
    for each in state["measurements"]:
        del each["signals"]
    older = history_from(state, profile.knobs, "12 W").profile
    assert {len(each.signals.as_columns()) for each in older.measurements} == {0}
