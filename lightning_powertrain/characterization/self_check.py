"""Whether a characterization can be relied on: some modes were measured twice at its start and twice at its end."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement, Profile

REPEATED = 5
"""So many modes are measured again: the first ones."""

# A reference of fewer modes is hardly better than none (docs/references.md).
_ENOUGH_MODES = 100
# The predictor aims at errors of some per cent: what it learns from must be better than that.
_MOST_SPREAD = 0.03
_MOST_DRIFT = 0.03
_MOST_LEFT_OUT = 0.1


@dataclass(frozen=True)
class SelfCheck:
    """What the repeated modes of a characterization show. Shares are relative: 0.01 is one per cent.

    Args:
        modes: Different modes that were measured.
        of: Modes of the board.
        left_out: Modes that were left out, as the board throttled in them.
        repeated: Modes that were measured twice at the start and twice at the end.
        time_spread: Standard deviation of the time of one window, from pairs right after each other.
        power_spread: Likewise of the power.
        time_drift: Change of the time from the start to the end.
        power_drift: Likewise of the power.
    """

    modes: int
    of: int
    left_out: int
    repeated: int
    time_spread: float = 0.0
    power_spread: float = 0.0
    time_drift: float = 0.0
    power_drift: float = 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the data is not good enough; empty if it is."""
        enough = min(_ENOUGH_MODES, self.of)
        spread, drift = max(self.time_spread, self.power_spread), max(map(abs, (self.time_drift, self.power_drift)))
        left_out = self.left_out / max(1, self.modes + self.left_out)
        found = {
            f"{self.modes} modes were measured, and a reference needs {enough}": self.modes < enough,
            "no mode was measured both at the start and at the end": not self.repeated,
            f"repeated windows differ by {spread:.1%}, of {_MOST_SPREAD:.0%} allowed: end what else runs on the "
            "board": spread > _MOST_SPREAD,
            f"from start to end figures drifted by {drift:.1%}, of {_MOST_DRIFT:.0%} allowed: keep the room, the fan "
            "and the load steady": drift > _MOST_DRIFT,
            f"the board throttled in {left_out:.0%} of the modes: cool it better": left_out > _MOST_LEFT_OUT,
        }
        return tuple(text for text, is_found in found.items() if is_found)

    @property
    def is_good(self) -> bool:
        """Whether the data is good enough for a reference."""
        return not self.problems

    def about(self) -> dict[str, Any]:
        """All of it as plain JSON values, for the provenance of the profile."""
        return {**asdict(self), "is_good": self.is_good, "problems": list(self.problems)}


def repeated_modes(profile: Profile) -> list[PowerMode]:
    """The modes of a profile that are to be measured again."""
    return list(dict.fromkeys(each.mode for each in profile.measurements))[:REPEATED]


def check_profile(profile: Profile, of: int) -> SelfCheck:
    """Compare the repeated modes of a profile.

    Args:
        profile: In the order in which it was measured.
        of: Modes of the board.
    """
    windows: dict[PowerMode, list[Measurement]] = defaultdict(list)
    for each in profile.measurements:
        windows[each.mode].append(each)
    repeated = [windows[mode] for mode in repeated_modes(profile) if len(windows[mode]) >= 4]
    left_out = len(profile.throttling_modes - set(windows))
    if not repeated:
        return SelfCheck(len(windows), of, left_out, 0)
    times = [[each.time_ms for each in found] for found in repeated]
    powers = [[each.power_w for each in found] for found in repeated]
    figures = (_spread(times), _spread(powers), _drift(times), _drift(powers))
    return SelfCheck(len(windows), of, left_out, len(repeated), *figures)


def _spread(repeated: Sequence[Sequence[float]]) -> float:
    """Relative standard deviation of one figure, from the first two and the last two of each mode."""
    pairs = np.log([pair for found in repeated for pair in (found[:2], found[-2:])])
    return float(np.sqrt(np.mean(np.diff(pairs) ** 2) / 2))


def _drift(repeated: Sequence[Sequence[float]]) -> float:
    """Relative change from the first two to the last two of each mode."""
    changes = [math.log(sum(found[-2:]) / sum(found[:2])) for found in repeated]
    return math.expm1(sum(changes) / len(changes))
