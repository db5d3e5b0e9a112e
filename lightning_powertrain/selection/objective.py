"""The base class of what a budget means: which modes meet it, and which of those is best."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lightning_powertrain.errors import ArgumentError

FloatArray = npt.NDArray[np.float64]

TIME_NOISE = 0.005
"""Relative standard error of a mean time that no longer window makes smaller: visits to a mode differ by as much."""


class Objective(ABC):
    """What a budget means: the score of a power mode, and the limits that it has to meet.

    An objective needs its score, :meth:`cost`. Everything else has a default: no limit unless :attr:`power_limit_w` or
    :attr:`time_limit_ms` is set.

    All methods are called between two minibatches, with one value a mode for up to some thousand modes, and training
    waits for them. They must not change the arrays that they get, and must return the same for the same arrays: an
    objective does not change during a job.
    """

    is_relative: ClassVar[bool] = False
    """Whether the limits are measurements of the start mode, by default False.

    A measured mode must meet other limits by more than the noise of its measurement. The start is as noisy as what is
    compared with it, so there is no such margin for a relative objective. Read whenever modes are compared.
    """

    @property
    def power_limit_w(self) -> float | None:
        """The most power that a mode may draw, in watts; by default None, without a limit.

        Read for :meth:`excess`, by the safe search of a hard limit, when the warm board is predicted, and for reports.
        A class attribute may replace it.
        """
        return None

    @property
    def time_limit_ms(self) -> float | None:
        """The longest that a minibatch may take, in milliseconds; by default None, without a limit.

        Read for :meth:`excess`, when the length of profiling is estimated, and for reports. A class attribute may
        replace it.
        """
        return None

    @property
    def unit(self) -> str:
        """Unit of :meth:`excess`; by default that of the limit, ``%`` with both limits, and empty without one.

        Read for messages and reports.
        """
        if self.power_limit_w is not None:
            return "W" if self.time_limit_ms is None else "%"
        return "" if self.time_limit_ms is None else "ms"

    @property
    def limit(self) -> float | None:
        """The limit in :attr:`unit`; by default None unless there is exactly one limit.

        Read where no mode meets the budget: modes that miss it by more than 5 % are not used, and the message names a
        larger budget that would be met.
        """
        if self.power_limit_w is None:
            return self.time_limit_ms
        return self.power_limit_w if self.time_limit_ms is None else None

    @property
    def limits_only_power(self) -> bool:
        """Whether power is all that is limited. Such an objective may be a hard limit."""
        return self.power_limit_w is not None and self.time_limit_ms is None

    @abstractmethod
    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """The score of modes: the lowest is the best among those that meet the limits.

        Called with measured and with predicted figures. Only ratios of scores matter, so they must be above 0.

        Args:
            time_ms: Time of a minibatch in each mode, shape ``(n,)``.
            power_w: Power in each mode, shape ``(n,)``.
        """

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """How far each mode is beyond the limits, in :attr:`unit`; 0 where it meets them.

        By default the distance from the one limit, or by how many percent a mode misses the two at most. Called
        together with :meth:`cost`.

        Args:
            time_ms: Time of a minibatch in each mode, shape ``(n,)``.
            power_w: Power in each mode, shape ``(n,)``.
        """
        most_w, most_ms = self.power_limit_w, self.time_limit_ms
        if most_w is not None and most_ms is not None:
            return np.maximum(np.maximum(time_ms / most_ms, power_w / most_w) - 1.0, 0.0) * 100.0
        if most_w is not None:
            return np.maximum(power_w - most_w, 0.0)
        return np.zeros_like(time_ms) if most_ms is None else np.maximum(time_ms - most_ms, 0.0)

    def after_drift(self, time_ratio: float, power_ratio: float) -> Objective:
        """The objective once time and power of the job have moved for good; by default the same.

        Called when a locked mode has drifted, before the next choice. It must not change this objective.

        Args:
            time_ratio: New time of a minibatch over the old one, in the locked mode.
            power_ratio: New power over the old one.
        """
        return self

    def at_module(self, supply_overhead: float) -> Objective:
        """The objective for the module's own sensors, where its limits are meant at the plug; by default the same.

        Called once, before the job, if the user gave a ``supply_overhead``.

        Args:
            supply_overhead: How much more than the module the plug draws: 0.28 for 28 %.

        Raises:
            ArgumentError: If it limits power and does not say what that means at the plug.
        """
        if self.power_limit_w is not None:
            allowed = "0.0 with an objective of your own that limits power and has no at_module()"
            raise ArgumentError.of("supply_overhead", supply_overhead, allowed)
        return self

    def __str__(self) -> str:
        """For messages and reports; by default the name of the class and its limits."""
        limits = ((self.power_limit_w, "W"), (self.time_limit_ms, "ms"))
        within = " and ".join(f"{limit:g} {unit}" for limit, unit in limits if limit is not None)
        return f"{type(self).__name__} within {within}" if within else type(self).__name__
