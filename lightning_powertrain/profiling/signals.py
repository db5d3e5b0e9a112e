"""What a measurement window shows for free, besides time and power: where both go."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

_RAIL, _CORE = "rail_w.", "core_busy."


@dataclass(frozen=True)
class Signals:
    """Optional observations of a window; None or empty where the board, or the loop, does not show them.

    Args:
        rails_w: Mean power of each rail, in watts, by its name. Rails may overlap: some boards have one for the whole
            module.
        cores_busy: Share of the time in which each online core was busy, from 0 to 1, by its number. Other programs
            count, too.
        gpu_load: Share of the time in which the GPU ran kernels, from 0 to 1.
        emc_active_hz: Cycles of the memory controller that moved data, per second.
        process_ms: CPU time of the training process per minibatch, all its threads together.
        children_ms: CPU time of its child processes per minibatch, all together: the workers of a data loader.
        data_wait_ms: Time of a minibatch before its data was there: the loop waited for workers, or loaded itself.
    """

    rails_w: Mapping[str, float] = field(default_factory=dict, hash=False)
    cores_busy: Mapping[int, float] = field(default_factory=dict, hash=False)
    gpu_load: float | None = None
    emc_active_hz: float | None = None
    process_ms: float | None = None
    children_ms: float | None = None
    data_wait_ms: float | None = None

    def as_columns(self) -> dict[str, float]:
        """What is known, as one number a column of a table."""
        found = {f"{_RAIL}{name}": watts for name, watts in self.rails_w.items()}
        found.update((f"{_CORE}{core}", share) for core, share in self.cores_busy.items())
        known = {name: getattr(self, name) for name in NUMBERS}
        return {**found, **{name: value for name, value in known.items() if value is not None}}

    @classmethod
    def from_columns(cls, columns: Mapping[str, float]) -> Signals:
        """What :meth:`as_columns` gave; columns of other names are ignored.

        Raises:
            ValueError: If a value is not finite, or the number of a core is none.
        """
        known = {name: float(value) for name, value in columns.items() if is_signal(name)}
        for name, value in known.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
        return cls(
            rails_w={name[len(_RAIL) :]: value for name, value in known.items() if name.startswith(_RAIL)},
            cores_busy={int(name[len(_CORE) :]): value for name, value in known.items() if name.startswith(_CORE)},
            **{name: known[name] for name in NUMBERS if name in known},
        )


NUMBERS = tuple(each.name for each in fields(Signals) if each.name not in ("rails_w", "cores_busy"))
"""The signals that are one number each."""

NOTHING = Signals()
"""What a board shows that shows nothing."""


def is_signal(column: str) -> bool:
    """Whether a column of a table holds a signal.

    >>> is_signal("rail_w.VDD_IN"), is_signal("gpu_load"), is_signal("time_ms")
    (True, True, False)
    """
    return column in NUMBERS or column.startswith((_RAIL, _CORE))
