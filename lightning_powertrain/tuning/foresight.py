"""What a mode draws once the board is as warm as the mode makes it: windows last seconds, warming up takes minutes."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lightning_powertrain.devices import Pollers
from lightning_powertrain.profiling import Measurement, Profile, sensor_noise
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.mode_runner import Awaited, ModeRunner
from lightning_powertrain.tuning.thermal import Thermal, fit_thermal

# Growth of power per degree before anything is seen of it. At constant clocks a GPU's power grows with the temperature
# of its die (Price et al. 2016, arXiv 1407.8116), but no public figure says by how much on a Jetson: here, a tenth of
# the power is leakage that grows by 2 % per degree, give or take as much.
_TYPICAL_PER_C = 0.002
_SPREAD_PER_C = 0.002
# Beyond this it is no leakage but another load.
_MOST_PER_C = 0.01
# By how much windows differ that follow each other in one mode.
_BETWEEN_WINDOWS = 0.003
# A rise that a thermal model may foresee: beyond it the model is wrong.
_MOST_RISE_C = 40.0

# The board stays in the chosen mode for so long at most; that is the fastest mode known, so the job loses nothing.
LONGEST_S = 90.0
_WINDOW_S = 8.0
# What is left of warming up below this is not worth waiting for.
_SETTLED_C = 1.5
# Older samples may describe other conditions: the room or the fan may have changed.
_RECENT_S = 900.0


@dataclass(frozen=True)
class Foresight:
    """Corrects power to the temperature that a mode leads to.

    Args:
        thermal: How warm the board becomes; None if that is not known, and nothing is corrected then.
        per_c: Relative growth of power per degree.
        spread_per_c: Standard error of that.
    """

    thermal: Thermal | None = None
    per_c: float = _TYPICAL_PER_C
    spread_per_c: float = _SPREAD_PER_C

    def rise_c(self, measured: Measurement) -> float:
        """By how much the board is yet to warm in a mode as measured; 0 if that is not known."""
        if self.thermal is None or measured.temperature_c is None:
            return 0.0
        rise_c = self.thermal.settled_c(measured.power_w) - measured.temperature_c
        return min(max(rise_c, 0.0), _MOST_RISE_C)

    def power_w(self, measured: Measurement, spreads: float = 0.0) -> float:
        """What a mode will draw once the board has warmed in it; ``spreads`` standard errors of the growth above."""
        per_c = min(max(self.per_c + spreads * self.spread_per_c, 0.0), _MOST_PER_C)
        rise_c, power_w = self.rise_c(measured), measured.power_w
        for _ in range(3):  # What leaks warms too.
            power_w = measured.power_w * math.exp(per_c * rise_c)
            rise_c = self.rise_c(replace(measured, power_w=power_w))
        return measured.power_w * math.exp(per_c * rise_c)

    def of(self, measured: Measurement) -> Measurement:
        """The same measurement as it would be on the warm board."""
        power_w = self.power_w(measured)
        return measured if power_w == measured.power_w else replace(measured, power_w=power_w)

    def of_all(self, profile: Profile) -> Profile:
        """The same profile as it would be on the warm board."""
        return replace(profile, measurements=tuple(map(self.of, profile.measurements)))

    def refined(self, pollers: Pollers, now_s: float, windows: Sequence[Measurement] = ()) -> Foresight:
        """What is known once more was seen.

        Args:
            pollers: Hold what was sampled lately.
            now_s: The present.
            windows: Of one mode, one after the other, at rising temperatures.
        """
        since_s = now_s - _RECENT_S
        thermal = fit_thermal(*pollers.health.temperatures(since_s, now_s), *pollers.power.between(since_s, now_s))
        return Foresight(thermal, *self._growth(windows))

    def _growth(self, windows: Sequence[Measurement]) -> tuple[float, float]:
        """Relative growth of power per degree, and its standard error: a regression, shrunk to what is known before."""
        figures = [(each.temperature_c, math.log(each.power_w)) for each in windows if each.temperature_c is not None]
        if not figures:
            return self.per_c, self.spread_per_c
        celsius, log_power = np.array(figures, dtype=np.float64).T
        above_c = celsius - celsius.mean()
        precision = self.spread_per_c**-2 + float(above_c @ above_c) / _BETWEEN_WINDOWS**2
        pull = self.per_c * self.spread_per_c**-2 + float(above_c @ log_power) / _BETWEEN_WINDOWS**2
        return min(max(pull / precision, 0.0), _MOST_PER_C), precision**-0.5


def may_exceed_limit(runner: ModeRunner, best: Selection, foresight: Foresight) -> Foresight | None:
    """How the board warms, if that may carry a mode over a power limit that it was measured to be within.

    Args:
        runner: Sets and measures modes.
        best: The mode, as measured.
        foresight: What is known from before.

    Returns:
        What is known now; None where the mode stays within the limit, or too little is known.
    """
    objective, measured = best.objective, best.measured
    limit_w = objective.power_limit_w if objective.limits_only_power else None
    if limit_w is None or measured is None or not best.is_confirmed:
        return None
    foresight = foresight.refined(runner.pollers, runner.device.clock.now())
    rises = foresight.rise_c(measured) >= _SETTLED_C
    return foresight if rises and not _is_within(limit_w, foresight.power_w(measured, 2.0)) else None


def warmed(runner: ModeRunner, best: Selection, before: Foresight) -> Generator[Awaited, None, Foresight]:
    """Stay in a mode while the board warms, until it is clear whether that carries the mode over the limit.

    Args:
        runner: Sets and measures modes; of the windows here its profile keeps the last.
        best: The mode, chosen within a power limit.
        before: What is known from before.

    Returns:
        What is known after.
    """
    limit_w, foresight = best.objective.power_limit_w, before
    assert limit_w is not None
    windows: list[Measurement] = []
    plan = replace(runner.window, minimum_s=max(_WINDOW_S, runner.window.minimum_s))
    end_s = runner.device.clock.now() + LONGEST_S
    while runner.device.clock.now() < end_s:
        window = yield from runner.measured(best.mode, plan)
        if window.throttled_by:
            break
        windows.append(window)
        runner.profile = _without_older(runner.profile, window, best.start)
        foresight = before.refined(runner.pollers, runner.device.clock.now(), windows)
        if len(windows) > 1 and _is_clear(limit_w, foresight, window):
            break
    return foresight


def _without_older(profile: Profile, window: Measurement, start: Measurement) -> Profile:
    """A profile in which a window stands for its mode; the start, with which all is compared, stays."""
    kept = [each for each in profile.measurements if each.mode != window.mode or each in (window, start)]
    return replace(profile, measurements=tuple(kept))


def _is_clear(limit_w: float, foresight: Foresight, window: Measurement) -> bool:
    """Whether a mode is within the limit for good, or beyond it, whatever its growth may be."""
    if foresight.rise_c(window) < _SETTLED_C or not _is_within(limit_w, foresight.power_w(window, -2.0)):
        return True
    return _is_within(limit_w, foresight.power_w(window, 2.0))


def _is_within(limit_w: float, power_w: float) -> bool:
    return power_w * (1 + float(sensor_noise(power_w))) <= limit_w
