"""The knobs of a board: the files that each reads and writes.

Frequencies are in the kernel's units: kHz for CPU, Hz for GPU and EMC (the memory). Nothing here writes unless a method
says so, and what is written is always a value of a table, a switch (0 or 1), or the text that a file held before.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.reading import read_cpus, read_number, read_raw

CPU = "sys/devices/system/cpu"
_BUSY_S = 0.05
_BUSY_STEP_S = 0.002


def write(path: Path, text: str) -> None:
    """Write to a file that exists, in one call, as the kernel wants it.

    Kernel 5.10 answers EBUSY while any CPU is coming online or leaving: that is tried again for a moment.

    Raises:
        OSError: If the kernel refuses; it names the file.
    """
    end_s = time.monotonic() + _BUSY_S
    while True:
        try:
            _write_once(path, text)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() >= end_s:
                raise OSError(error.errno, error.strerror, str(path)) from error
        time.sleep(_BUSY_STEP_S)


def _write_once(path: Path, text: str) -> None:
    target = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(target, text.encode("ascii"))
    finally:
        os.close(target)


def at_most(values: Sequence[int], cap: int | None) -> int:
    """The highest value that does not exceed a cap, or the lowest there is."""
    return values[-1] if cap is None else max((value for value in values if value <= cap), default=values[0])


@dataclass(frozen=True)
class Range:
    """A lowest and a highest clock; the kernel refuses a lowest above the highest, or quietly clips it."""

    low: Path
    high: Path

    def write(self, low: str, high: str) -> None:
        """Set both, in the order in which neither passes the other on the way."""
        lowest_now = read_number(self.low)
        wanted = high.strip()
        raising = lowest_now is None or not wanted.isdigit() or int(wanted) >= lowest_now
        for path, text in ((self.high, high), (self.low, low)) if raising else ((self.low, low), (self.high, high)):
            write(path, text)


@dataclass(frozen=True)
class Cores:
    """How many cores of a cluster are online; the lowest-numbered ones are."""

    name: str
    values: tuple[int, ...]
    cpus: tuple[Path, ...]
    role = "cores"

    def files(self) -> list[Path]:
        return [cpu / "online" for cpu in self.cpus if cpu.name != "cpu0" and (cpu / "online").exists()]

    def read(self) -> int:
        return len(self.cpus) - sum(read_number(path) == 0 for path in self.files())

    def wake(self, count: int) -> None:
        self._switch(self.cpus[:count], "1")

    def sleep(self, count: int) -> None:
        self._switch(self.cpus[count:], "0")

    def _switch(self, cpus: Iterable[Path], text: str) -> None:
        wanted = {cpu / "online" for cpu in cpus}
        for path in self.files():
            if path in wanted and read_number(path) != int(text):
                write(path, text)


@dataclass(frozen=True)
class CpuClock:
    """The clock of a cluster of cores: of each cpufreq policy that has an online core."""

    name: str
    values: tuple[int, ...]
    root: Path
    cpus: tuple[int, ...]
    role = "cpu"

    def ranges(self) -> list[Range]:
        return [
            Range(policy / "scaling_min_freq", policy / "scaling_max_freq")
            for policy in policies(self.root)
            if set(read_cpus(policy / "related_cpus")) & set(self.cpus)
        ]

    def files(self) -> list[Path]:
        governors = [each.low.with_name("scaling_governor") for each in self.ranges()]
        return [*(path for each in self.ranges() for path in (each.low, each.high)), *governors]

    def read(self) -> int:
        """The lowest cap of its policies; the lowest value while all cores of the cluster are offline."""
        caps = [cap for each in self.ranges() if (cap := read_number(each.high)) is not None]
        return at_most(self.values, min(caps, default=0))

    def write(self, value: int) -> None:
        for each in self.ranges():
            try:
                each.write(str(value), str(value))
            except OSError as error:
                # Kernel 4.9 refuses a minimum above what a throttled maximum shows; the maximum itself was taken.
                throttled = lowering(self.root) and (read_number(each.high) or 0) < value
                if error.errno != errno.EINVAL or not throttled:
                    raise


@dataclass(frozen=True)
class DevfreqClock:
    """A clock behind a devfreq directory: of the GPU, or of the EMC on JetPack 7."""

    name: str
    values: tuple[int, ...]
    role: str
    folder: Path

    def ranges(self) -> list[Range]:
        return [Range(self.folder / "min_freq", self.folder / "max_freq")]

    def files(self) -> list[Path]:
        return [self.folder / "min_freq", self.folder / "max_freq"]

    def read(self) -> int:
        # Nought is no cap on JetPack 4.
        return at_most(self.values, read_number(self.folder / "max_freq") or None)

    def write(self, value: int) -> None:
        self.ranges()[0].write(str(value), str(value))


@dataclass(frozen=True)
class EmcClock:
    """The memory clock on JetPack 4 to 6: a cap, and a lock that pins the rate (in debugfs: only root sees it)."""

    name: str
    values: tuple[int, ...]
    cap: Path | None
    lock: Path | None
    rate: Path | None
    role = "emc"

    def files(self) -> list[Path]:
        return [path for path in (self.lock, self.rate, self.cap) if path is not None]

    def locked(self) -> bool:
        return self.lock is not None and read_number(self.lock) == 1

    def read(self) -> int:
        if self.rate and self.locked() and (rate := read_number(self.rate)):
            nearest = min(self.values, key=lambda value: abs(value - rate))
            return nearest if abs(nearest - rate) < 0.01 * rate else rate
        # No cap reads 0 on JetPack 5 and the largest number on JetPack 6.
        return at_most(self.values, (read_number(self.cap) if self.cap else None) or None)

    def write(self, value: int) -> None:
        """Pin the rate. The cap is lifted where it is in the way and else left alone: it is not made for changes."""
        if self.lock is None or self.rate is None:
            if self.cap is not None:
                write(self.cap, str(value))
            return
        if self.cap is not None and 0 < (read_number(self.cap) or 0) < value:
            write(self.cap, str(value))
        if not self.locked():
            write(self.lock, "1")
        write(self.rate, str(value))


@dataclass(frozen=True)
class Knobs:
    """All knobs of a board, in the order of the catalogue.

    Args:
        root: Where the board's file systems are.
        cores: Its cores.
        clocks: Its clocks.
    """

    root: Path
    cores: tuple[Cores, ...]
    clocks: tuple[CpuClock | DevfreqClock | EmcClock, ...] = field(default=())

    def known(self) -> dict[str, Cores | CpuClock | DevfreqClock | EmcClock]:
        """The knobs whose tables can be read, by name."""
        return {knob.name: knob for knob in (*self.cores, *self.clocks) if knob.values}

    def read(self) -> dict[str, int]:
        """The mode that the board has now."""
        return {name: knob.read() for name, knob in self.known().items()}

    def files(self) -> list[Path]:
        """Every file that may be written, as far as it is visible now."""
        return [path for knob in (*self.cores, *self.clocks) for path in knob.files()]

    def texts(self) -> dict[Path, str]:
        """What every one of these files says, as it stands; without an unlocked EMC rate, which moves by itself."""
        unlocked = {each.rate for each in self.clocks if isinstance(each, EmcClock) and not each.locked()}
        texts = {path: read_raw(path) for path in self.files() if path not in unlocked}
        return {path: text for path, text in texts.items() if text is not None}

    def unsaved(self, saved: Mapping[Path, str]) -> list[Path]:
        """The files that a mode may write and that ``saved`` does not know: nothing could restore them."""
        unlocked = self._unlocked(saved)
        return [
            path
            for path in self.files()
            if path not in saved and path not in unlocked and path.name != "scaling_governor"
        ]

    def joined(self, first: Mapping[Path, str], later: Mapping[Path, str]) -> dict[Path, str]:
        """What the files said at first, and what those said later that were not there at first."""
        unlocked = self._unlocked(first)
        return {**{path: text for path, text in later.items() if path not in unlocked}, **first}

    def _unlocked(self, texts: Mapping[Path, str]) -> set[Path | None]:
        """The rates of the EMC that moved by themselves when the files said so."""
        return {each.rate for each in self.clocks if isinstance(each, EmcClock) and not _says_one(each.lock, texts)}

    def limits(self) -> set[Path]:
        """The files that show something else than what was set while the board throttles."""
        clocks = [clock for clock in self.clocks if not isinstance(clock, EmcClock)]
        return {path for clock in clocks for each in clock.ranges() for path in (each.low, each.high)}

    def hidden_cpus(self) -> bool:
        """Whether some cores are offline together with their whole cpufreq policy, whose files cannot be read then."""
        visible = {cpu for clock in self.clocks if isinstance(clock, CpuClock) for cpu in _governed(clock.root)}
        return bool(visible) and any(int(cpu.name[3:]) not in visible for cores in self.cores for cpu in cores.cpus)


def _says_one(path: Path | None, texts: Mapping[Path, str]) -> bool:
    return path is not None and texts.get(path, "").strip() == "1"


def policies(root: Path) -> list[Path]:
    """The folders of the cpufreq policies that have an online CPU.

    The folder of a policy stays when its last CPU goes offline. Kernels before 5.19 go on showing its texts, perhaps
    without the table, and refuse every write; ``affected_cpus`` is empty then. Later kernels refuse reads, too.
    """
    folders = (folder for folder in (root / CPU / "cpufreq").glob("policy[0-9]*") if folder.name[6:].isdigit())
    awake = [folder for folder in folders if read_cpus(folder / "affected_cpus")]
    return sorted(awake, key=lambda folder: int(folder.name[6:]))


def _governed(root: Path) -> set[int]:
    return {cpu for policy in policies(root) for cpu in read_cpus(policy / "related_cpus")}
