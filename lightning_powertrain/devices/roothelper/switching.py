"""Setting a power mode and restoring everything: which file is written when.

Cores come online first, because a cpufreq policy takes no write while all its cores are offline, and surplus cores
leave last.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.knobs import CpuClock, EmcClock, Knobs, write
from lightning_powertrain.devices.roothelper.reading import read_number, read_raw

_PATIENCE_S = 0.5
_STEP_S = 0.01


class RefusedError(Exception):
    """The board refused a mode."""


def apply(knobs: Knobs, mode: Mapping[str, int], saved: Mapping[Path, str]) -> dict[str, int]:
    """Set knobs to values of their tables and return what the whole board reads back, which may differ.

    Args:
        knobs: All knobs.
        mode: The value of each that is to be set.
        saved: What was saved: no other file is written.

    Raises:
        RefusedError: If the board refuses a write; the mode before it is set again.
    """
    before = knobs.texts()
    try:
        _set(knobs, mode, saved)
    except OSError as error:
        differing = restore(knobs, before)
        left = f", but for {', '.join(map(str, differing))}" if differing else ""
        raise RefusedError(f"the board refused: {error}. The mode before is set again{left}") from error
    return knobs.read()


def _set(knobs: Knobs, mode: Mapping[str, int], saved: Mapping[Path, str]) -> None:
    chosen = [cores for cores in knobs.cores if cores.name in mode]
    for cores in chosen:
        cores.wake(mode[cores.name])
    _until(lambda: all(cores.read() >= mode[cores.name] for cores in chosen))
    for path in knobs.unsaved(saved):
        raise OSError(errno.ENODATA, "what it says was not saved", str(path))
    for clock in knobs.clocks:
        if clock.name in mode:
            clock.write(mode[clock.name])
    for cores in chosen:
        cores.sleep(mode[cores.name])
    asleep = {clock.name for clock in knobs.clocks if isinstance(clock, CpuClock) and not clock.ranges()}
    _until(lambda: all(value == mode.get(name, value) for name, value in knobs.read().items() if name not in asleep))


def wake_all(knobs: Knobs) -> None:
    """Bring all cores online, so that every cpufreq policy shows its files."""
    for cores in knobs.cores:
        cores.wake(len(cores.cpus))
    _until(lambda: all(cores.read() == len(cores.cpus) for cores in knobs.cores))


def restore(knobs: Knobs, saved: Mapping[Path, str]) -> list[Path]:
    """Write back what files held before, only those that differ, and return those that still do.

    A path that is not a file of these knobs is neither read nor written; it counts as one that differs. While the board
    throttles, a limit is written whatever it reads, and one that was taken but reads lower counts as restored.
    """
    hot = bool(lowering(knobs.root))
    switches = {path: text for path, text in saved.items() if path in _files(knobs.cores)}
    _write_each({path: text for path, text in switches.items() if text.strip() == "1"})
    if set(saved) - set(knobs.files()):
        with contextlib.suppress(OSError):
            wake_all(knobs)
    clocks = {path: saved[path] for path in _files(knobs.clocks) if path in saved}
    for clock in knobs.clocks:
        for each in () if isinstance(clock, EmcClock) else clock.ranges():
            pair = {path: clocks[path] for path in (each.low, each.high) if path in clocks}
            if len(pair) == 2 and (hot or _differing(pair)):
                with contextlib.suppress(OSError):
                    each.write(clocks[each.low], clocks[each.high])
    # What is left is independent of order, but for the EMC: its lock, then its rate, then its cap.
    refused = _write_each(clocks)
    _until(lambda: not _wrong(knobs, clocks, refused))
    wrong = _wrong(knobs, clocks, refused)
    _write_each(switches)
    _until(lambda: not _differing(switches))
    return [
        *wrong,
        *_differing(switches),
        *(path for path in saved if path not in clocks and path not in switches),
    ]


def _files(knobs: Iterable[object]) -> list[Path]:
    return [path for knob in knobs for path in knob.files()]  # type: ignore[attr-defined]


def _differing(saved: Mapping[Path, str]) -> list[Path]:
    return [path for path, text in saved.items() if (read_raw(path) or "").strip() != text.strip()]


def _wrong(knobs: Knobs, saved: Mapping[Path, str], refused: Container[Path]) -> list[Path]:
    """What differs, except limits that were not refused and that read lower because the board throttles."""
    differing = _differing(saved)
    if not differing or not lowering(knobs.root):
        return differing
    limits = knobs.limits()
    return [path for path in differing if path not in limits or path in refused or not _reads_lower(path, saved[path])]


def _reads_lower(path: Path, text: str) -> bool:
    number = read_number(path)
    return number is not None and text.strip().isdigit() and number < int(text)


def _write_each(texts: Mapping[Path, str]) -> set[Path]:
    """Write those that differ; returns those that refused, which must not keep the others from being restored."""
    refused = set()
    for path in _differing(texts):
        try:
            write(path, texts[path])
        except OSError:
            refused.add(path)
    return refused


def _until(reached: Callable[[], bool]) -> None:
    """Give the board a moment: some writes take effect late."""
    end_s = time.monotonic() + _PATIENCE_S
    while not reached() and time.monotonic() < end_s:
        time.sleep(_STEP_S)
