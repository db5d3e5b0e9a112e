"""Measures the modes of a plan one after the other, and some of them again at the start and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.characterization.plan import CharacterizationPlan
from lightning_powertrain.characterization.self_check import REPEATED, repeated_modes
from lightning_powertrain.characterization.waits import BoardWarmUp, cool_down, is_hot
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.mode_runner import ModeRunner, Waiting
from lightning_powertrain.tuning.safe_search import SafeSearch

# Under a power limit the predictor is fitted anew after so many modes.
_BETWEEN_FITS = 8
# A board that throttled in so many modes, one after the other, is not fit to be measured.
_MOST_HOT = 8


@dataclass(frozen=True)
class Stage:
    """How far a characterization is.

    Args:
        done: Windows that were measured.
        total: Windows to measure.
        left_s: Seconds that are probably left; 0 as long as nothing tells.
        power_w: Power in the last window, in watts; None before the first one.
        temperature_c: Temperature of the die in it; None if it could not be read.
        activity: What goes on.
    """

    done: int
    total: int
    left_s: float
    power_w: float | None
    temperature_c: float | None
    activity: str


class Survey:
    """Measures the modes of a plan. What was measured before is in the profile of the runner, and is not repeated.

    Args:
        runner: Sets modes and measures them.
        config: Its configuration: a power limit is its budget.
        plan: What to measure.
        save: Keeps the profile, after each window.
        tell: Is called whenever something changes.
    """

    def __init__(
        self,
        runner: ModeRunner,
        config: TuningConfig,
        plan: CharacterizationPlan,
        save: Callable[[Profile], None],
        tell: Callable[[Stage], None],
    ) -> None:
        self._runner = runner
        self._config = config
        self._plan = plan
        self._save = save
        self._tell = tell
        self._design = plan.design(runner.device.modes)
        self._unreachable: set[PowerMode] = set()
        self._start_s = runner.device.clock.now()
        self._windows = 0
        self._hot = 0
        self._repetitions = 2 * REPEATED
        self.is_complete = False
        """Whether all modes of the plan were measured, except those that the board or the power limit rules out."""

    def steps(self) -> Waiting:
        """Measure everything; yields what to wait for.

        Raises:
            DeviceError: If the board throttles in one mode after the other.
            BudgetError: If no mode keeps the power limit.
        """
        self._report("warming up")
        yield BoardWarmUp(self._runner.device.clock)
        self._start_s = self._runner.device.clock.now()
        self.is_complete = True
        for mode in self._upcoming():
            if self._seconds_left() <= 0:
                self.is_complete = False
                break
            yield from self._measured(mode)
            if len(self._to_repeat()) == REPEATED:
                yield from self._repeated_at_start()
        yield from self._repeated_at_start()
        for mode in 2 * self._to_repeat():
            yield from self._measured(mode)
            self._repetitions -= 1

    def _upcoming(self) -> Iterator[PowerMode]:
        """The modes that are still to be measured, in this order."""
        wanted = self._design if self._plan.power_limit_w is None else self._within_limit()
        return (mode for mode in wanted if self._is_open(mode))

    def _within_limit(self) -> Iterator[PowerMode]:
        """From the lowest mode up, as a tuned job with a hard limit does it."""
        runner, lowest = self._runner, self._runner.device.modes.lowest
        yield lowest
        start = next((each for each in runner.profile.measurements if each.mode == lowest), None)
        if start is None:
            raise DeviceError(f"the board throttled in its lowest power mode ({lowest}): it is too hot to be measured")
        objective = self._config.objective_from(start)
        with runner.computing():
            search = SafeSearch(runner.space, self._config.predictor, objective, start, len(self._design))
        yield from search.first_modes
        while True:
            with runner.computing():
                safe = search.safe_among([mode for mode in self._design if self._is_open(mode)], runner.profile)
            if not safe:
                return
            yield from safe[:_BETWEEN_FITS]

    def _is_open(self, mode: PowerMode) -> bool:
        profile = self._runner.profile
        is_measured = mode in self._counts() or mode in profile.throttling_modes
        return not is_measured and mode not in self._unreachable and mode in self._runner.space

    def _counts(self) -> Counter[PowerMode]:
        return Counter(each.mode for each in self._runner.profile.measurements)

    def _repeated_at_start(self) -> Waiting:
        """Measure the first modes once more, unless that was done."""
        for mode in self._to_repeat():
            if self._counts()[mode] < 2:
                yield from self._measured(mode)

    def _to_repeat(self) -> list[PowerMode]:
        profile = self._runner.profile
        return [mode for mode in repeated_modes(profile) if mode not in profile.throttling_modes]

    def _measured(self, mode: PowerMode) -> Waiting:
        """Measure a mode, and once more after a pause if the board throttled."""
        runner = self._runner
        for _ in range(2):
            self._cool_down()
            read = runner.apply(mode)
            if read != mode:
                self._unreachable.add(mode)
            self._report("measuring")
            measurement = yield from runner.measured(read)
            self._windows += 1
            self._save(runner.profile)
            if not measurement.throttled_by:
                self._hot = 0
                return
        self._hot += 1
        if self._hot == _MOST_HOT:
            raise DeviceError(
                f"the board throttled ({measurement.throttled_by}) in each of the last {_MOST_HOT} power modes: cool "
                "it better or give it a stronger supply; the same command then continues"
            )

    def _cool_down(self) -> None:
        runner = self._runner
        if is_hot(runner.device.clock, runner.pollers.health):
            runner.apply(runner.device.modes.lowest)
            self._report("cooling down")
            cool_down(runner.device, runner.pollers.health)

    def _seconds_left(self) -> float:
        """Seconds until no further mode is begun: the repetitions at the end need their time, too."""
        elapsed_s = self._runner.device.clock.now() - self._start_s
        return 60 * self._plan.minutes - elapsed_s - 2 * REPEATED * self._seconds_a_window()

    def _seconds_a_window(self) -> float:
        """Mean time of a window so far; 0 before the first one."""
        return (self._runner.device.clock.now() - self._start_s) / self._windows if self._windows else 0.0

    def _report(self, activity: str) -> None:
        profile = self._runner.profile
        counts = self._counts()
        to_repeat = REPEATED - sum(counts[mode] > 1 for mode in self._to_repeat())
        left = sum(self._is_open(mode) for mode in self._design) + to_repeat + self._repetitions
        left_s = max(0.0, min(left * self._seconds_a_window(), 60 * self._plan.minutes))
        last = profile.measurements[-1] if len(profile) else None
        power_w, temperature_c = (last.power_w, last.temperature_c) if last else (None, None)
        self._tell(Stage(len(profile), len(profile) + left, left_s, power_w, temperature_c, activity))
