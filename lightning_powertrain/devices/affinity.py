"""Which CPUs the threads of this process may run on, kept across CPUs that leave and return.

When a CPU goes offline, kernels take it out of the affinity masks of threads, and not all restore it when it returns.
In a control group with a cpuset (a container) they do more: whenever a CPU leaves or returns, every thread of the group
gets all CPUs of the group, even if it was bound to some of them. This was measured on kernels 5.10 (version 1) and 6.1
(version 2); outside of such a group neither does it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import FrozenSet

from lightning_powertrain.devices.roothelper.reading import read_cpus, read_raw

Cpus = FrozenSet[int]

_ONLINE = "sys/devices/system/cpu/online"
_CPUSETS = "sys/fs/cgroup/cpuset"
_MOST_CPUS = 1024


class Affinity:
    """The affinity of every thread of this process and of its children, such as the workers of a DataLoader.

    A mask that the kernel changed is restored to what it was. A thread that started meanwhile inherited such a mask
    and gets that of this process. A mask that somebody chose in the meantime is left alone, unless it is all CPUs of
    the control group: nothing distinguishes that from what the kernel does there.

    Args:
        root: Where the board's file systems are.
    """

    def __init__(self, root: Path) -> None:
        self._online = root / _ONLINE
        self._before: dict[int, Cpus] = {}
        self._seen_online: set[Cpus] = set()
        self._seen_allowed: set[Cpus] = set()

    def remember(self) -> None:
        """Call before the first CPU goes offline."""
        self._before = dict(_masks())
        self._seen_online = set()
        self._seen_allowed = set()

    def restore(self) -> Cpus:
        """Call after CPUs went offline or came back: every thread may use its own again, as far as they are online.

        Returns:
            CPUs that are online and that this process could use before, but may not now.
        """
        online = frozenset(read_cpus(self._online))
        own = self._before.get(os.getpid())
        if own is None or not online:
            return frozenset()
        self._seen_online.add(online)
        self._seen_allowed.add(_allowed())
        for thread, mask in list(_masks()):
            before = self._before.get(thread, own)
            if mask != before and self._is_of_kernel(mask, before):
                # It may have ended by now, or have none of its CPUs online.
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(thread, before)
        return (own & online) - (_mask(os.getpid()) or own)

    def _is_of_kernel(self, mask: Cpus, before: Cpus) -> bool:
        """Whether the kernel made this mask: CPUs that left are missing, all had left, or it is all of the group's."""
        return mask in self._seen_allowed or any(
            mask == before & online or not before & online for online in self._seen_online
        )


def forgetful_cpusets(root: Path) -> tuple[str, ...]:
    """Control groups of version 1, parents first: they give no CPU back that was offline, not even to bystanders.

    The group at the top is no matter: the kernel keeps that one whole.
    """
    tree = root / _CPUSETS
    groups = {f"/{file.parent.relative_to(tree)}" for file in tree.rglob("cpuset.cpus") if file.parent != tree}
    own = re.search(
        r"^\d+:(?:[^:]*,)?cpuset(?:,[^:]*)?:(/.+)$", read_raw(root / "proc/self/cgroup") or "", re.MULTILINE
    )
    return tuple(sorted(groups | ({own[1]} if own else set())))


def give_cpus_back(groups: Iterable[str]) -> str:
    """How root of the host gives control groups all CPUs.

    >>> give_cpus_back(["/docker"])
    "sudo sh -c 'tee /sys/fs/cgroup/cpuset/docker/cpuset.cpus < /sys/fs/cgroup/cpuset/cpuset.cpus'"
    """
    files = " ".join(f"/{_CPUSETS}{group}/cpuset.cpus" for group in groups)
    return f"sudo sh -c 'tee {files} < /{_CPUSETS}/cpuset.cpus'"


def _allowed() -> Cpus:
    """The CPUs that the control group of this process may use now: what a thread gets that asks for all there are."""
    found: list[Cpus] = []

    def ask() -> None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, range(_MOST_CPUS))
            found.append(frozenset(os.sched_getaffinity(0)))

    asking = threading.Thread(target=ask, name="powertrain-affinity")
    asking.start()
    asking.join()
    return found[0] if found else frozenset()


def _masks() -> Iterator[tuple[int, Cpus]]:
    children = [child.pid for child in multiprocessing.active_children() if child.pid]
    for process in (os.getpid(), *children):
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{process}/task").iterdir():
                mask = _mask(int(thread.name))
                if mask is not None:
                    yield int(thread.name), mask


def _mask(thread: int) -> Cpus | None:
    try:
        return frozenset(os.sched_getaffinity(thread))
    except OSError:
        return None
