"""What a sample of power costs straight from the kernel's files, and how many a second the sampling thread gets.

    python benchmarks/sampling.py [--seconds 5]

On plain files it is the cost of Python and of opening files; on a virtual board each read goes through FUSE and another
process as well. Neither is a Jetson, where reading one register of a sensor takes about half a millisecond more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from plain_board import PlainBoard, start_helper
from virtual_board import mounted, why_unavailable

from lightning_powertrain.devices import PowerPoller, SysfsDevice

SAMPLES, PERIOD_S = 500, 0.1


@contextmanager
def opened(root: Path) -> Iterator[SysfsDevice]:
    device = SysfsDevice(root, lambda: start_helper(root))
    try:
        yield device
    finally:
        device.close()


def sample_ms(device: SysfsDevice) -> list[float]:
    """What each of many samples costs."""
    costs = []
    for _ in range(SAMPLES):
        start_s = time.perf_counter()
        device.read_power()
        costs.append((time.perf_counter() - start_s) * 1e3)
    return costs


def intervals_ms(device: SysfsDevice, seconds: float) -> list[float]:
    """Times between the samples that the thread takes."""
    poller = PowerPoller(device, PERIOD_S)
    start_s = device.clock.now()
    poller.start()
    time.sleep(seconds)
    times_s, _ = poller.between(start_s, device.clock.now())
    poller.stop()
    return [(later - earlier) * 1e3 for earlier, later in zip(times_s, times_s[1:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the thread samples on each board")
    seconds = parser.parse_args().seconds
    print(f"{os.cpu_count()} cores; {SAMPLES} samples one after another, then {1 / PERIOD_S:.0f} Hz for {seconds:g} s")
    print(f"{'board':<26}{'rails':>6}{'ms a sample: median':>21}{'95 %':>8}{'samples/s':>11}{'longest gap, ms':>17}")
    with ExitStack() as boards:
        folder = boards.enter_context(tempfile.TemporaryDirectory())
        roots = {"plain files": PlainBoard(Path(folder)).root}
        if why_unavailable():
            print(f"no virtual board: {why_unavailable()}")
        else:
            for name in ("orin-nano-jp6", "orin-agx-jp6", "thor-jp7"):
                roots[f"virtual {name}"] = boards.enter_context(mounted(name)).root
        for name, root in roots.items():
            with opened(root) as device:
                costs = sample_ms(device)
                gaps = intervals_ms(device, seconds)
                rails = len(device.read_power().rails_w)
            figures = f"{statistics.median(costs):21.2f}{sorted(costs)[int(0.95 * len(costs))]:8.2f}"
            print(f"{name:<26}{rails:6}{figures}{1e3 / statistics.median(gaps):11.2f}{max(gaps):17.1f}")


if __name__ == "__main__":
    main()
