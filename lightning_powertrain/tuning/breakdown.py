"""Where the time of a minibatch and the watts of a board go in one mode, from the signals of its window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightning_powertrain.devices.rails import watts_by_domain
from lightning_powertrain.profiling import Measurement, Provenance

WORKERS = "workers"
"""What the provenance of a profile calls the number of workers of the data loader."""


@dataclass(frozen=True)
class Breakdown:
    """Where time and power go in one mode. Empty where the signals do not tell.

    Args:
        time_ms: Parts of the time of a minibatch, in milliseconds; they add up to it. ``gpu``: the GPU runs kernels.
            ``waiting``: it is idle, and the loop waits for the workers of its data loader. ``loading``: it is idle, and
            the loop loads data itself, without workers. ``launching``: it is idle for other reasons; the main thread
            launches kernels, or does other work. ``other``: what the signals do not tell apart.
        power_w: Parts of the power, in watts, by what the rails feed; they add up to the power of the module.
    """

    time_ms: Mapping[str, float] = field(default_factory=dict, hash=False)
    power_w: Mapping[str, float] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, measurement: Measurement, about: Provenance) -> Breakdown:
        """The breakdown of a measurement.

        Args:
            measurement: The measurement.
            about: Where it comes from.
        """
        power_w = watts_by_domain(about.board, measurement.signals.rails_w, measurement.power_w)
        return cls(_time_ms(measurement, about.details.get(WORKERS)), power_w)


def _time_ms(measurement: Measurement, workers: object) -> dict[str, float]:
    signals, whole_ms = measurement.signals, measurement.time_ms
    if signals.gpu_load is None and signals.data_wait_ms is None:
        return {}
    gpu_ms = (signals.gpu_load or 0.0) * whole_ms
    parts_ms = {} if signals.gpu_load is None else {"gpu": gpu_ms}
    if signals.data_wait_ms is not None:
        # While the GPU still works on the minibatch before, a wait costs nothing.
        parts_ms["loading" if workers == 0 else "waiting"] = min(signals.data_wait_ms, whole_ms - gpu_ms)
    rest = "launching" if len(parts_ms) == 2 else "other"
    return {**parts_ms, rest: whole_ms - sum(parts_ms.values())}
