"""Made-up profiles of a small board, for the tests of predictors."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import IntArray, Knob, ModeSpace, PowerMode
from lightning_powertrain.profiling import Measurement, Profile, Provenance

SPACE = ModeSpace(
    (
        Knob("cores", "cores", (1, 2, 4, 8)),
        Knob("cpu_khz", "cpu", tuple(range(200_000, 2_200_001, 250_000))),
        Knob("gpu_hz", "gpu", tuple(range(100_000_000, 1_300_000_001, 150_000_000))),
        Knob("emc_hz", "emc", (204_000_000, 2_133_000_000, 3_199_000_000)),
    )
)


def costs(modes: IntArray, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Time (ms) and power (W) of a workload; another ``weight`` makes another, related workload."""
    cores, cpu_khz, gpu_hz, emc_hz = modes.T.astype(float)
    time_ms = 20 + weight * 3e10 / gpu_hz + 2e7 / weight / (cpu_khz * cores**0.5) + 1e10 / emc_hz
    power_w = 6 + cores * (cpu_khz / 2e6) ** 2 + weight * 20 * (gpu_hz / 1.3e9) ** 2 + 4 * emc_hz / 3.2e9
    return time_ms, power_w


def profile(count: int, *, weight: float = 1.0, seed: int = 0, space: ModeSpace = SPACE) -> Profile:
    """``count`` random modes of a workload."""
    indices = np.random.default_rng(seed).choice(len(SPACE), size=count, replace=False)
    times, powers = costs(SPACE.array[indices], weight)
    measurements = tuple(
        Measurement(PowerMode(**dict(zip(space.names, row))), time, power, minibatches=40)
        for row, time, power in zip(SPACE.array[indices].tolist(), times.tolist(), powers.tolist())
    )
    return Profile(space.knobs, Provenance("made-up", f"workload {weight}", simulated=True), measurements)
