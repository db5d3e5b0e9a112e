"""A whole characterization: what it measures, what may happen to it, and what it leaves behind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from fakes import TINY, FakeDevice, true_power_w

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.characterization import Characterization, CharacterizationPlan, Stage
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.errors import ArgumentError, BudgetError, DeviceError
from lightning_powertrain.prediction import load_reference
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuning import ProfilingOptions

Measure = Callable[..., Characterization]

DESIGN = CharacterizationPlan(modes=12).design(TINY.modes)


def counts(profile: Profile) -> Counter[PowerMode]:
    return Counter(each.mode for each in profile.measurements)


class Interruption:
    """Presses Ctrl-C in the window after so many others.

    Args:
        windows: How many.
        minibatches: Minibatches into it.
    """

    def __init__(self, windows: int, minibatches: int = 20) -> None:
        self._windows = windows
        self._left = minibatches
        self._done = 0

    def tell(self, stage: Stage) -> None:
        self._done = stage.done

    def step(self, minibatch: Any) -> None:
        self._left -= self._done == self._windows
        if not self._left:
            raise KeyboardInterrupt


def interrupted(measure: Measure, windows: int, **plan: Any) -> None:
    interruption = Interruption(windows)
    with pytest.raises(KeyboardInterrupt):
        measure(interruption.step, interruption.tell, **plan)


def test_the_first_modes_are_measured_four_times_and_all_others_once(measure: Measure, path: Path) -> None:
    result = measure()
    repeated = dict.fromkeys(DESIGN[:5], 4)
    assert counts(result.profile) == {**dict.fromkeys(DESIGN, 1), **repeated}
    order = [each.mode for each in result.profile.measurements]
    assert order[:10] == 2 * DESIGN[:5]
    assert order[-10:] == 2 * DESIGN[:5]
    assert result.is_complete
    assert (result.check.modes, result.check.of, result.check.repeated) == (12, 54, 5)
    assert max(result.check.time_spread, abs(result.check.power_drift)) < 1e-6
    assert Profile.load(path) == result.profile


def test_the_file_says_where_it_comes_from(measure: Measure, path: Path) -> None:
    details = measure().profile.provenance.details
    assert details["start_mode"] == dict(TINY.preset("LOW"))
    assert details["rails"] == ["VDD_IN"]
    assert (details["note"], details["runs_on"], details["library"]) == ("a desk", "a test", "0.1.0")
    assert details["asked"] == {"modes": 12, "seed": 0, "power_limit_w": None}
    assert len(details["dates"]) == 1
    assert details["self_check"]["problems"] == ["12 modes were measured, and a reference needs 54"]
    assert sorted(each.name for each in path.parent.iterdir()) == ["tiny.csv", "tiny.json"]


@pytest.mark.parametrize("windows", [1, 4, 7, 12, 17, 26])
def test_after_ctrl_c_it_continues_where_it_was(measure: Measure, path: Path, windows: int) -> None:
    interrupted(measure, windows)
    so_far = Profile.load(path).measurements
    assert len(so_far) == windows
    profile = measure().profile
    assert profile.measurements[:windows] == so_far
    assert set(counts(profile)) == set(DESIGN)
    assert {mode for mode, count in counts(profile).items() if count > 1} == set(DESIGN[:5])
    assert len(profile) == 27 + max(0, windows - 17), "only the repetitions at the end begin anew"
    assert len(profile.provenance.details["dates"]) == 2


def test_a_loss_of_power_between_its_two_files_does_no_harm(measure: Measure, path: Path) -> None:
    interrupted(measure, 8)
    older = path.with_suffix(".json").read_bytes()
    interrupted(measure, 12)
    path.with_suffix(".json").write_bytes(older)
    path.with_name(".tiny.part.csv").write_text("cores,cpu_")
    assert set(counts(measure().profile)) == set(DESIGN)


def test_what_is_complete_is_not_measured_again(measure: Measure, device: FakeDevice, path: Path) -> None:
    first = measure()
    written = path.read_bytes()
    device.applied.clear()
    again = measure()
    assert (again.profile.measurements, again.check) == (first.profile.measurements, first.check)
    assert again.is_complete
    assert (device.applied, path.read_bytes()) == ([], written)


def test_it_ends_in_time_and_continues_later(measure: Measure) -> None:
    result = measure(minutes=0.5)
    assert not result.is_complete
    assert 5 <= result.check.modes < 12
    assert result.check.repeated == 5
    result = measure()
    assert result.is_complete
    assert result.check.modes == 12


def test_another_file_of_that_name_is_not_touched(measure: Measure, path: Path) -> None:
    measure()
    before = path.read_bytes()
    with pytest.raises(ArgumentError, match=r"out=.*this one is of toy on tiny, modes 12, seed 0"):
        measure(seed=1)
    assert path.read_bytes() == before


def test_modes_in_which_the_board_throttles_are_left_out(measure: Measure, device: FakeDevice) -> None:
    device.is_hot = lambda mode: mode["gpu_hz"] == 400_000_000
    stages: list[Stage] = []
    result = measure(tell=stages.append, modes=54)
    hot = [mode for mode in TINY.modes if device.is_hot(mode)]
    assert result.profile.throttling_modes == set(hot)
    assert not set(hot) & set(counts(result.profile))
    assert result.check.left_out == len(hot) == 18
    assert "the board throttled in 33% of the modes: cool it better" in result.check.problems
    assert "cooling down" in {stage.activity for stage in stages}
    after_hot = [later for mode, later in zip(device.applied, device.applied[1:]) if device.is_hot(mode)]
    assert set(after_hot) == {TINY.modes.lowest}, "it cools down in the lowest mode"


def test_a_board_that_throttles_in_every_mode_ends_it(measure: Measure, device: FakeDevice, path: Path) -> None:
    device.is_hot = lambda mode: len(device.applied) > 20
    with pytest.raises(DeviceError, match=r"the board throttled .fake-throttle. in each of the last 8 power modes"):
        measure(modes=54)
    assert len(Profile.load(path)) == 20


class Drifting(FakeDevice):
    """A board whose power rises slowly, and whose sensor scatters."""

    per_hour = scatter = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(0)
        self._factor: dict[int, float] = {}

    def read_power(self) -> PowerReading:
        shown = self._factor.setdefault(len(self.applied), 1 + self.scatter * self._random.standard_normal())
        watts = super().read_power().total_w * (1 + self.per_hour * self.clock.now() / 3600) * shown
        return PowerReading(watts, {"VDD_IN": watts})


@pytest.mark.parametrize(
    ("per_hour", "scatter", "problem"),
    [(2.0, 0.0, "from start to end figures drifted by "), (0.0, 0.1, "repeated windows differ by ")],
)
def test_the_self_check_finds_what_is_wrong(
    measure: Measure, device: FakeDevice, monkeypatch: pytest.MonkeyPatch, per_hour: float, scatter: float, problem: str
) -> None:
    device.__class__ = Drifting
    Drifting.__init__(device)  # type: ignore[misc]
    monkeypatch.setattr(Drifting, "per_hour", per_hour)
    monkeypatch.setattr(Drifting, "scatter", scatter)
    check = measure(modes=54).check
    assert not check.is_good
    assert [each for each in check.problems if each.startswith(problem)]


def test_a_sound_board_passes_and_gives_a_reference(measure: Measure, path: Path) -> None:
    result = measure(modes=54)
    assert result.check.is_good
    assert result.check.about()["is_good"] is True
    reference = load_reference(path)
    assert reference.profile == result.profile
    assert reference.provenance.details["note"] == "a desk"
    assert ProfilingOptions(reference=path).with_predictor().predictor is not None


def test_a_power_limit_is_kept(measure: Measure, device: FakeDevice) -> None:
    result = measure(modes=54, power_limit_w=10.0)
    watts = true_power_w(TINY.modes.rows(device.applied))
    assert device.applied[0] == TINY.modes.lowest
    assert watts.max() <= 10.0
    below = (true_power_w(TINY.modes.array) <= 10.0).sum()
    assert below / 2 < result.check.modes <= below
    assert result.is_complete


def test_a_power_limit_that_no_mode_keeps_is_refused(measure: Measure) -> None:
    with pytest.raises(BudgetError, match="even the lowest power mode draws"):
        measure(power_limit_w=2.0)


def test_progress_says_how_far_it_is(measure: Measure) -> None:
    stages: list[Stage] = []
    measure(tell=stages.append)
    assert stages[0] == Stage(0, 27, 0.0, None, None, "warming up")
    assert {stage.total for stage in stages} == {27}
    assert [stage.done for stage in stages[1:]] == list(range(27))
    assert stages[1].left_s == 0.0, "nothing tells yet"
    assert 0 < stages[-1].left_s < stages[6].left_s / 10
    assert stages[-1].power_w == pytest.approx(float(true_power_w(TINY.modes.rows([DESIGN[3]]))[0]))
