"""Cores that come and go, and the frequency policies that come and go with them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from virtual_board.limits import Governor, Limits
from virtual_board.nodes import Tree, constant, read_only, refuse, settable
from virtual_board.parsing import boolean

ROOT = "/sys/devices/system/cpu"
GOVERNORS = ("conservative", "ondemand", "userspace", "powersave", "performance", "schedutil")


@dataclass(frozen=True)
class Cluster:
    """Cores that share a clock.

    Args:
        cores: Their numbers.
        cores_knob: The catalogue's name for how many are online.
        khz_knob: The catalogue's name for their clock.
    """

    cores: tuple[int, ...]
    cores_knob: str = "cores"
    khz_knob: str = "cpu_khz"


class Policy:
    """The frequency policy of a cluster, alive while one of its cores is."""

    def __init__(self, table_khz: tuple[int, ...], refuses_crossing: bool) -> None:
        self.limits = Limits(table_khz, refuses_crossing=refuses_crossing)
        self.governor = Governor("schedutil", GOVERNORS)


class Cpus:
    """All cores of a board, in its tree.

    Args:
        tree: Where their files are put.
        clusters: The cores.
        table_khz: Frequencies of every cluster.
        refuses_crossing: Whether cpufreq is an old one.
        boot_core_has_switch: Whether ``cpu0/online`` exists; it refuses 0 then.
        clock: The frequency that runs, given a policy: the load and throttling decide.
    """

    def __init__(
        self,
        tree: Tree,
        clusters: tuple[Cluster, ...],
        table_khz: tuple[int, ...],
        *,
        refuses_crossing: bool,
        boot_core_has_switch: bool,
        clock: Callable[[Policy], int],
    ) -> None:
        self._tree = tree
        self._clusters = clusters
        self._table_khz = table_khz
        self._refuses_crossing = refuses_crossing
        self._clock = clock
        self.cores = tuple(sorted(core for cluster in clusters for core in cluster.cores))
        self.online = set(self.cores)
        self.policies: dict[Cluster, Policy] = {}
        self._place_masks()
        for core in self.cores:
            self._place_core(core, switchable=core != 0 or boot_core_has_switch)
        for cluster in clusters:
            self._begin(cluster)

    def set_online(self, core: int, online: bool) -> None:
        """Plug or unplug a core, as a write to its ``online`` file does."""
        if online == (core in self.online):
            return
        if not online and core == 0:
            raise refuse(errno.EPERM)
        cluster = next(cluster for cluster in self._clusters if core in cluster.cores)
        if online:
            self.online.add(core)
            if cluster not in self.policies:
                self._begin(cluster)
            self._link_policy(cluster, core)
        else:
            self.online.remove(core)
            self._tree.remove(f"{ROOT}/cpu{core}/cpufreq")
            if not self.online.intersection(cluster.cores):
                self._end(cluster)

    def _begin(self, cluster: Cluster) -> None:
        """A policy is made when the first core of its cluster arrives, and knows nothing of what was set before."""
        policy = self.policies[cluster] = Policy(self._table_khz, self._refuses_crossing)
        for core in self.online.intersection(cluster.cores):
            self._link_policy(cluster, core)
        limits, governor = policy.limits, policy.governor
        files = {
            "scaling_available_frequencies": read_only(lambda: " ".join(map(str, self._table_khz)) + " "),
            "scaling_available_governors": read_only(lambda: " ".join(GOVERNORS) + " "),
            "scaling_driver": constant("tegra194"),
            "scaling_cur_freq": read_only(lambda: self._clock(policy)),
            "cpuinfo_cur_freq": read_only(lambda: self._clock(policy), 0o400),
            "cpuinfo_min_freq": read_only(lambda: self._table_khz[0]),
            "cpuinfo_max_freq": read_only(lambda: self._table_khz[-1]),
            "cpuinfo_transition_latency": constant(300000),
            "affected_cpus": read_only(lambda: " ".join(map(str, sorted(self.online.intersection(cluster.cores))))),
            "related_cpus": read_only(lambda: " ".join(map(str, cluster.cores))),
            "scaling_setspeed": settable(lambda: "<unsupported>", _unsupported),
            "scaling_governor": settable(lambda: governor.name, governor.store),
            "scaling_min_freq": settable(lambda: limits.floor, limits.store(limits.set_floor)),
            "scaling_max_freq": settable(lambda: limits.ceiling, limits.store(limits.set_ceiling)),
        }
        for name, file in files.items():
            self._tree.place(f"{_policy_path(cluster)}/{name}", file)

    def _end(self, cluster: Cluster) -> None:
        del self.policies[cluster]
        self._tree.remove(_policy_path(cluster))

    def _link_policy(self, cluster: Cluster, core: int) -> None:
        self._tree.link(f"{ROOT}/cpu{core}/cpufreq", _policy_path(cluster))

    def _place_masks(self) -> None:
        everything, cores = set(self.cores), self.cores
        masks: dict[str, Callable[[], object]] = {
            "online": lambda: ranges(self.online),
            "offline": lambda: ranges(everything - self.online),
            "present": lambda: ranges(cores),
            "possible": lambda: ranges(cores),
            "kernel_max": lambda: 255,
        }
        for name, show in masks.items():
            self._tree.place(f"{ROOT}/{name}", read_only(show))

    def _place_core(self, core: int, *, switchable: bool) -> None:
        self._tree.place(f"{ROOT}/cpu{core}/topology/core_id", constant(core))
        if switchable:
            switch = settable(lambda: int(core in self.online), lambda text: self.set_online(core, boolean(text)))
            self._tree.place(f"{ROOT}/cpu{core}/online", switch)


def ranges(cores: Iterable[int]) -> str:
    """Cores as the kernel lists them.

    >>> ranges({0, 1, 2, 5})
    '0-2,5'
    """
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and runs[-1][-1] == core - 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _policy_path(cluster: Cluster) -> str:
    return f"{ROOT}/cpufreq/policy{cluster.cores[0]}"


def _unsupported(text: str) -> None:
    raise refuse(errno.EINVAL)
