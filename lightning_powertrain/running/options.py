"""What a user decides about a script that is tuned on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.tuning.checks import count_modes
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history_store import HistoryStore

FOR_TRAINERS = "POWERTRAIN_RUN"
"""Environment variable that holds the arguments of the callback that each Lightning Trainer of the script gets."""


@dataclass(frozen=True)
class RunOptions:
    """How a script is tuned; see :class:`~lightning_powertrain.tuner.Tuner` for the first five.

    Args:
        budget: What to look for.
        device: The board.
        max_modes: Modes to measure.
        max_share: Largest share of the job's time that profiling may take; of the time so far if its length is unknown.
        hard_limit: Never exceed a power budget.
        minibatches: Length of the job; None if unknown.
        minutes: Time limit of the job; None if unknown.
        out: Folder for profile, summary and report.
        verbose: Print progress and a summary.

    Raises:
        ArgumentError: If an argument is not valid.
    """

    budget: str | None = None
    device: str | None = None
    max_modes: int | Literal["auto"] | None = None
    max_share: float = 0.1
    hard_limit: bool = False
    minibatches: int | None = None
    minutes: float | None = None
    out: Path = Path("powertrain")
    verbose: bool = True

    def __post_init__(self) -> None:
        self._config()
        for name, length in (("minibatches", self.minibatches), ("minutes", self.minutes)):
            if length is not None and not length > 0:
                raise ArgumentError.of(name, length, "a number above 0")

    @property
    def seconds(self) -> float | None:
        """Time limit of the job."""
        return None if self.minutes is None else 60 * self.minutes

    @property
    def simulated(self) -> bool:
        """Whether the board is a simulated one."""
        return self.device is not None

    def history_store(self) -> HistoryStore:
        """Keeps what is measured in the cache of profiles, for later runs of the script."""
        config = self._config()
        return HistoryStore(True, config.predictor.minimum_modes, str(config.budget), strict=False)

    def _config(self) -> TuningConfig:
        return TuningConfig.checked(
            self.budget, self.max_modes, self.max_share, self.hard_limit, False, None, count_modes(self.device)
        )

    def for_trainers(self) -> str:
        """The arguments of :class:`~lightning_powertrain.callbacks.PowerTrainCallback`, as JSON."""
        names = ("budget", "device", "max_modes", "max_share", "hard_limit", "verbose")
        return json.dumps({name: getattr(self, name) for name in names})
