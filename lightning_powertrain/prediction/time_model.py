"""A small physical model of the time of a minibatch: three stages that overlap, each with a few parameters.

The GPU computes and waits for memory; a main thread launches kernels; data loader workers make minibatches. The slowest
sets the pace, and how sharply it does is learnt too. The GPU's is the longer of computing and traffic, as in a roofline
under DVFS (arXiv 2509.20189 fits such a one to an Orin AGX), with a corner as round as it is learnt to be. The others
are sums of terms that go with one over a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve, Prior

_NEAREST_TO_STARVED = 0.25

# Name, mean, spread and whether it is the logarithm of a time. Times are those of a stage at the highest clocks,
# relative to each other; the fit finds their scale.
_PARAMETERS = (
    ("fixed", log(0.05), 1.2, True),
    ("gpu", log(0.5), 1.2, True),
    ("gpu_memory", log(0.15), 1.2, True),
    ("host", log(0.35), 1.2, True),
    ("host_memory", log(0.03), 1.0, True),
    ("loader", log(0.25), 1.5, True),
    ("loader_memory", log(0.03), 1.2, True),
    ("threads", log(4.0), 0.7, False),
    ("contention", log(0.25), 0.6, False),
    ("sharpness", log(4.0), 0.6, False),
    ("background", log(0.02), 0.4, False),
    ("spreading", log(0.03), 1.2, True),
    ("gpu_sharpness", log(2.5), 0.5, False),
    ("reach", log(0.3), 0.8, False),
)
# The stages whose times may be longer or shorter together: work of the CPU that nothing waits for is hardly measured.
_GROUPS = (
    ("gpu", "gpu_memory"),
    ("host", "host_memory"),
    ("loader", "loader_memory"),
    ("host", "host_memory", "loader", "loader_memory"),
)
_SHARE_OF_CLUSTER = (0.0, 1.5)
_EXPONENT_OF_OTHER = (0.0, 0.5)


@dataclass(frozen=True, eq=False)
class Activity:
    """What keeps a board busy; shares of the time of a minibatch, arrays of shape ``(..., n)``.

    Args:
        gpu: The GPU runs kernels; at most 1.
        compute: The GPU computes; at most 1.
        traffic: The GPU moves data, as long as that takes at the highest clocks; at most 1.
        host: The main thread works; at most 1.
        loader: Cores that load data.
    """

    gpu: FloatArray
    compute: FloatArray
    traffic: FloatArray
    host: FloatArray
    loader: FloatArray


class _Stages(NamedTuple):
    """Times of the stages and of a minibatch, and how many cores the workers keep busy; shape ``(..., n)``."""

    gpu: FloatArray
    compute: FloatArray
    traffic: FloatArray
    host: FloatArray
    loader: FloatArray
    busy_cores: FloatArray
    total: FloatArray


@dataclass(frozen=True)
class TimeModel:
    """Time of a minibatch in a power mode.

    With the GPU clock g, the CPU clock c and the memory clock m relative to their maxima, and n cores:

    * GPU: the p-norm of computing, ``gpu / g``, and traffic, ``gpu_memory hypot(1 / m, reach / g)``,
      ``p = gpu_sharpness``
    * main thread: ``(host / c + host_memory / m) (1 + contention max(0, (threads + 1) / n' - 1))``
    * workers: ``(loader / c + loader_memory / m) / speedup(n')``, which stops to grow at ``threads`` cores
    * minibatch: ``fixed``, ``spreading (1 - 1 / n)`` and the p-norm of the three, ``p = sharpness``

    where ``n' = n - background / c``: what the system itself needs is lost, and on one slow core that is much; and on
    many cores threads lose time to each other, by waking up and by moving (one core can be the fastest). Several
    CPU clusters share the threads by learnt weights; a knob of role ``other`` enters as a power with a learnt exponent.

    Args:
        layout: What the columns of modes act on.
    """

    layout: KnobLayout

    @property
    def prior(self) -> Prior:
        """Prior of the parameters without a reference."""
        extra = [(*_SHARE_OF_CLUSTER, False)] * (len(self.layout.clusters) - 1)
        extra += [(*_EXPONENT_OF_OTHER, False)] * len(self.layout.columns("other"))
        means, spreads, scales = zip(*[row[1:] for row in _PARAMETERS], *extra)
        return Prior(np.array(means), np.array(spreads), np.array(scales, dtype=np.bool_))

    @property
    def groups(self) -> FloatArray:
        """Which parameters are the time of one stage, or of all of the CPU, 1 or 0, shape ``(g, p)``."""
        rows = np.array([[float(name in group) for name, *_ in _PARAMETERS] for group in _GROUPS])
        return np.pad(rows, ((0, 0), (0, len(self.prior.mean) - len(_PARAMETERS))))

    def curve(self, modes: IntArray) -> Curve:
        """Logarithm of the time in ``modes`` as a function of the parameters."""
        stages = self._stages_of(modes)
        others = self.layout.log_others(modes)

        def log_time(parameters: FloatArray) -> FloatArray:
            exponents = parameters[..., parameters.shape[-1] - len(others) :]
            return np.asarray(np.log(stages(parameters).total) - exponents @ others, dtype=np.float64)

        return log_time

    def activity(self, modes: IntArray, parameters: FloatArray, log_time: FloatArray) -> Activity:
        """What keeps the board busy in ``modes`` whose times are known better than from these parameters alone.

        Parameters of shape ``(..., p)`` give arrays of shape ``(..., n)``.
        """
        stages = self._stages_of(modes)(parameters)
        others = self.layout.log_others(modes)
        total = np.exp(log_time + parameters[..., parameters.shape[-1] - len(others) :] @ others)
        return Activity(
            gpu=np.minimum(stages.gpu / total, 1.0),
            compute=np.minimum(stages.compute / total, 1.0),
            traffic=np.minimum(stages.traffic / total, 1.0),
            host=np.minimum(stages.host / total, 1.0),
            loader=stages.loader / total * stages.busy_cores,
        )

    def curve_with_signals(self, modes: IntArray, with_load: IntArray, with_loading: IntArray) -> Curve:
        """Likewise, followed by those of the GPU's load in some rows, and of the workers' CPU time in some rows."""
        stages = self._stages_of(modes)
        others = self.layout.log_others(modes)

        def log_values(parameters: FloatArray) -> FloatArray:
            each, exponents = stages(parameters), parameters[..., parameters.shape[-1] - len(others) :]
            log_total, slower = np.log(each.total), exponents @ others
            log_load = (np.log(each.gpu) - log_total)[..., with_load]
            log_loading = (np.log(each.loader * each.busy_cores) - slower)[..., with_loading]
            return np.concatenate([log_total - slower, log_load, log_loading], axis=-1)

        return log_values

    def _stages_of(self, modes: IntArray) -> _StageTimes:
        layout = self.layout
        return _StageTimes(
            cores=np.stack([layout.count(modes, cores) for cores, _ in layout.clusters]),
            clocks=np.stack([layout.relative(modes, clock) for _, clock in layout.clusters]),
            gpu_clock=layout.relative_to_role(modes, "gpu"),
            memory_clock=layout.relative_to_role(modes, "emc"),
            most_cores=float(layout.most_cores),
        )


@dataclass(frozen=True, eq=False)
class _StageTimes:
    """Times of the stages in some modes, as a function of the parameters."""

    cores: FloatArray
    clocks: FloatArray
    gpu_clock: FloatArray
    memory_clock: FloatArray
    most_cores: float

    def __call__(self, parameters: FloatArray) -> _Stages:
        values = np.exp(np.clip(parameters, -50, 50))[..., None]
        learned = {name: values[..., index, :] for index, (name, *_) in enumerate(_PARAMETERS)}
        weights = [np.ones_like(learned["fixed"])]
        weights += [values[..., len(_PARAMETERS) + cluster, :] for cluster in range(len(self.cores) - 1)]
        clock_of_cores = self._mean_clock(weights, self.cores)
        online = np.maximum(self.cores.sum(axis=0), 1.0)
        cores = np.maximum(online - learned["background"] / clock_of_cores, _NEAREST_TO_STARVED * online)

        compute = learned["gpu"] / self.gpu_clock
        gpu = self._gpu(learned, compute)
        clock_of_thread = self._mean_clock(weights, (self.cores > 0).astype(np.float64))
        crowding = 1 + learned["contention"] * np.maximum(0.0, (learned["threads"] + 1) / cores - 1)
        host = (learned["host"] / clock_of_thread + learned["host_memory"] / self.memory_clock) * crowding
        busy_cores = _saturating(cores, learned["threads"])
        work = learned["loader"] / clock_of_cores + learned["loader_memory"] / self.memory_clock
        loader = work * _saturating(self.most_cores, learned["threads"]) / busy_cores
        alone = learned["fixed"] + learned["spreading"] * (1 - 1 / online)
        total = alone + _slowest(learned["sharpness"], gpu, host, loader)
        return _Stages(gpu, compute, learned["gpu_memory"], host, loader, busy_cores, total)

    def _gpu(self, learned: dict[str, FloatArray], compute: FloatArray) -> FloatArray:
        """Computing hides behind traffic, or traffic behind computing; a slow GPU cannot ask for all bandwidth."""
        asked = np.hypot(1 / self.memory_clock, learned["reach"] / self.gpu_clock)
        return _slowest(learned["gpu_sharpness"], compute, learned["gpu_memory"] * asked)

    def _mean_clock(self, weights: list[FloatArray], cores: FloatArray) -> FloatArray:
        """Mean clock over clusters, weighted by what runs on each."""
        share = sum(weight * count for weight, count in zip(weights, cores))
        clock = sum(weight * count * clock for weight, count, clock in zip(weights, cores, self.clocks))
        return np.asarray(clock / share, dtype=np.float64)


def _slowest(sharpness: FloatArray, *times: FloatArray) -> FloatArray:
    """The longest of times that overlap, with a rounded corner: their p-norm, with ``p = sharpness``."""
    longest = times[0]
    for time in times[1:]:
        longest = np.maximum(longest, time)
    overlap = sum((time / longest) ** sharpness for time in times)
    return np.asarray(longest * overlap ** (1 / sharpness), dtype=np.float64)


def _saturating(cores: FloatArray | float, threads: FloatArray) -> FloatArray:
    """Cores that some threads can use: the smaller of the two numbers, with a rounded corner (a 3-norm of inverses)."""
    return np.asarray(1 / np.cbrt(1 / (cores * cores * cores) + 1 / (threads * threads * threads)), dtype=np.float64)
