"""Cores that come and go, and the frequency policies that fall asleep with their last core."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from virtual_board.kernels import Kernel
from virtual_board.limits import CpuLimits, Governor, storing
from virtual_board.nodes import KernelFile, Tree, constant, read_only, refuse, settable
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
    """The frequency policy of a cluster; it sleeps while none of its cores is online."""

    def __init__(self, table_khz: tuple[int, ...], kernel: Kernel, cap: Callable[[], int | None]) -> None:
        self.limits = CpuLimits(table_khz, kernel, cap)
        self.governor = Governor("schedutil", GOVERNORS)


class Cpus:
    """All cores of a board, in its tree.

    Args:
        tree: Where their files are put.
        clusters: The cores.
        table_khz: Frequencies of every cluster.
        kernel: How cpufreq behaves.
        drops_sleeping_table: Whether the table of a sleeping policy answers ENODEV. Measured on 5.10.223; NVIDIA's 5.10
            drops the table only where its driver has an exit hook (read), and the driver of Xavier has none.
        boot_core_has_switch: Whether ``cpu0/online`` exists; it refuses 0 then, by NVIDIA's word.
        clock: The frequency that runs, given a policy: the load and throttling decide.
        cap: The cap of the cooling device of a cluster now, given the cluster; None without one.
    """

    def __init__(
        self,
        tree: Tree,
        clusters: tuple[Cluster, ...],
        table_khz: tuple[int, ...],
        *,
        kernel: Kernel,
        drops_sleeping_table: bool,
        boot_core_has_switch: bool,
        clock: Callable[[Policy], int],
        cap: Callable[[Cluster], int | None],
    ) -> None:
        self._tree = tree
        self._clusters = clusters
        self._table_khz = table_khz
        self._kernel = kernel
        self._drops_sleeping_table = drops_sleeping_table
        self._clock = clock
        self.cores = tuple(sorted(core for cluster in clusters for core in cluster.cores))
        self.online = set(self.cores)
        self.policies = {cluster: Policy(table_khz, kernel, partial(cap, cluster)) for cluster in clusters}
        self._place_masks()
        for core in self.cores:
            self._place_core(core, switchable=core != 0 or boot_core_has_switch)
        for cluster in clusters:
            self._place_policy(cluster)

    @property
    def awake(self) -> list[Policy]:
        """The policies that have an online core."""
        return [policy for cluster, policy in self.policies.items() if self._online_of(cluster)]

    def set_online(self, core: int, online: bool) -> None:
        """Plug or unplug a core, as a write to its ``online`` file does."""
        if online == (core in self.online):
            return
        if not online and core == 0:
            raise refuse(errno.EPERM)
        self.online ^= {core}

    def _online_of(self, cluster: Cluster) -> list[int]:
        return sorted(self.online.intersection(cluster.cores))

    def _place_policy(self, cluster: Cluster) -> None:
        """The folder and the links to it stay while all cores are offline: read in 4.9, measured on 5.10 and 6.1.

        The limits and the governor stay, too.
        """
        limits, governor = self.policies[cluster].limits, self.policies[cluster].governor
        files = {
            "scaling_available_frequencies": read_only(lambda: self._shown_table(cluster)),
            "scaling_available_governors": read_only(lambda: " ".join(GOVERNORS) + " "),
            "scaling_driver": constant("tegra194"),
            "scaling_cur_freq": read_only(lambda: self._clock(self.policies[cluster])),
            "cpuinfo_cur_freq": read_only(lambda: self._measured_clock(cluster), 0o400),
            "cpuinfo_min_freq": read_only(lambda: self._table_khz[0]),
            "cpuinfo_max_freq": read_only(lambda: self._table_khz[-1]),
            "cpuinfo_transition_latency": constant(300000),
            "affected_cpus": read_only(lambda: " ".join(map(str, self._online_of(cluster)))),
            "related_cpus": read_only(lambda: " ".join(map(str, cluster.cores))),
            "scaling_setspeed": settable(lambda: "<unsupported>", _unsupported),
            "scaling_governor": settable(lambda: governor.name, governor.store),
            "scaling_min_freq": _limit(lambda: limits.floor, limits.set_floor, lambda: limits.cool_floor),
            "scaling_max_freq": _limit(lambda: limits.ceiling, limits.set_ceiling, lambda: limits.cool_ceiling),
        }
        for name, file in files.items():
            self._tree.place(f"{_policy_path(cluster)}/{name}", self._while_awake(cluster, file))
        for core in cluster.cores:
            self._tree.link(f"{ROOT}/cpu{core}/cpufreq", _policy_path(cluster))

    def _while_awake(self, cluster: Cluster, file: KernelFile) -> KernelFile:
        """A file of a policy, with what the kernel answers while the policy sleeps."""

        def show() -> str | bytes:
            if self._kernel.sleeping_read and not self._online_of(cluster):
                raise refuse(self._kernel.sleeping_read)
            return file.text()

        def store(text: str) -> None:
            if not self._online_of(cluster):
                raise refuse(self._kernel.sleeping_write)
            file.take(text)

        return KernelFile(file.mode, show=show, store=store if file.store else None, kept=file.kept or file.show)

    def _shown_table(self, cluster: Cluster) -> str:
        if self._drops_sleeping_table and not self._online_of(cluster):
            raise refuse(errno.ENODEV)
        return " ".join(map(str, self._table_khz)) + " "

    def _measured_clock(self, cluster: Cluster) -> str:
        return str(self._clock(self.policies[cluster])) if self._online_of(cluster) else "<unknown>"

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


def _limit(show: Callable[[], int], store: Callable[[int], None], cool: Callable[[], int]) -> KernelFile:
    return replace(settable(show, storing(store)), kept=lambda: f"{cool()}\n")


def _unsupported(text: str) -> None:
    raise refuse(errno.EINVAL)
