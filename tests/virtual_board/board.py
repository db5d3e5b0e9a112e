"""The model of a board: its tree of files, and what they do. It knows nothing of FUSE."""

from __future__ import annotations

import errno
import math
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from lightning_powertrain.boards import load_board
from virtual_board.activity import CoreTimes, place_emc_activity
from virtual_board.cpu import Cluster, Cpus, Policy
from virtual_board.devfreq import Devfreq
from virtual_board.emc import Emc
from virtual_board.faults import Faults
from virtual_board.gpu import Gpu
from virtual_board.identity import cores_online, place_disk, place_identity
from virtual_board.kernels import KERNELS
from virtual_board.nodes import Directory, KernelFile, Tree, refuse
from virtual_board.parsing import rounded_down
from virtual_board.plant import Clocks, Plant, physics_of
from virtual_board.sensors import Monitors, Thermals
from virtual_board.specs import SPECS


class VirtualBoard:
    """A board that has just booted in one of its stock modes.

    Args:
        name: One of ``SPECS``.
        preset: The stock mode; its default without.
        gpu_asleep: Whether the GPU's devfreq directory is missing until the GPU is powered (JetPack 4 and 5).
    """

    def __init__(self, name: str, preset: str = "", gpu_asleep: bool = False) -> None:
        self.spec = SPECS[name]
        self.kernel = KERNELS[self.spec.jetpack]
        self.lock = threading.RLock()
        self.tree = Tree()
        self.faults = Faults(self.tree)
        self.load = 1.0
        self.writes: list[dict[str, Any]] = []
        self._plugging = 0
        self._catalogued = load_board(self.spec.key)
        self.reset(preset, gpu_asleep)

    def reset(self, preset: str = "", gpu_asleep: bool = False) -> None:
        """Be as new: nothing goes wrong, the load is full, nobody has written anything."""
        name = preset or self._catalogued.default_preset
        self._preset = next(each for each in self._catalogued.presets if each.name == name)
        self._gpu_asleep = gpu_asleep
        self._boots = 0
        self.faults.clear()
        self.load = 1.0
        self.writes.clear()
        place_disk(self.tree, self.spec, self._catalogued, self._preset)
        self.boot()

    def boot(self) -> None:
        """Start anew: every setting is lost, ``/run`` is empty, the boot has a new identity; the disk stays."""
        self._boots += 1
        self.tree.place("/run", Directory(on_disk=True))
        for path in ("/sys", "/proc"):
            self.tree.place(path, Directory(on_disk=False))
        place_identity(self.tree, self.spec, str(uuid.uuid4()))
        self._is_hot = self._is_running = False
        self._place_cpus()
        self._place_gpu()
        self._place_emc()
        self._apply_preset()
        self.thermals = Thermals(
            self.tree,
            self.spec.zones,
            {self._cooling_device(cluster): self._hottest_state() for cluster in self.spec.clusters},
            max_cpu_state=len(self._table("cpu_khz")) - 1,
            temperature_c=lambda: self.plant.temperature_c,
            is_hot=lambda: self.is_hot,
        )
        self.plant = Plant(physics_of(self.spec.key), self.clocks(), self.load, time.monotonic)
        self._load_so_far = self.load
        self.core_times = CoreTimes(self.cpus, lambda: self.load, time.monotonic)
        self.core_times.place(self.tree)
        place_emc_activity(self.tree, self.spec.jetpack, lambda: self.load, self._emc_hz)
        self._is_running = True
        self._place_monitors()

    @property
    def is_hot(self) -> bool:
        """Whether the board throttles itself: from its trip point on, until it has cooled down well below."""
        self._watch_heat()
        return self._is_hot

    def shown_w(self, rail: str) -> float:
        """Power of a rail as its sensor shows it."""
        self._watch_heat()
        return self.plant.shown_w(rail)

    @property
    def violations(self) -> list[dict[str, Any]]:
        """Writes that nobody may ever do: those to the masks that gate the GPU's clusters."""
        return [write for write in self.writes if write["path"].endswith("_pg_mask")]

    def clocks(self) -> Clocks:
        """What runs."""
        cpu_khz = max(self._cpu_khz(policy) for policy in self.cpus.awake)
        gpu_hz, emc_hz = self._gpu_hz(self.gpu.devfreq), self._emc_hz()
        shares = (
            cpu_khz / self._table("cpu_khz")[-1] * len(self.cpus.online) / len(self.cpus.cores),
            gpu_hz / self._table("gpu_hz")[-1],
            emc_hz / self._table("emc_hz")[-1],
        )
        return Clocks(len(self.cpus.online), cpu_khz, gpu_hz, emc_hz, shares)

    def settle(self) -> None:
        """Let the plant run what is set now."""
        self.plant.run(self.clocks(), self.load)
        self.core_times.catch_up(self._load_so_far)
        self._load_so_far = self.load

    def show(self, path: str, file: KernelFile) -> bytes:
        """What a read from the start of a pseudo file gives.

        Raises:
            OSError: What the kernel would say, or what a fault says.
        """
        self.faults.strike("read", path)
        with self.lock:
            return file.text()

    def store(self, path: str, file: KernelFile, text: str, uid: int) -> None:
        """One write to a pseudo file; it is noted, whatever comes of it.

        Raises:
            OSError: What the kernel would say, or what a fault says.
        """
        entry = {"path": path, "text": text, "uid": uid, "errno": 0, "at_s": time.monotonic()}
        self.writes.append(entry)
        try:
            if self._plugging and self.kernel.busy_while_plugging and "/cpufreq/" in path:
                raise refuse(errno.EBUSY)
            with self._plug(path):
                lag_s = self.faults.strike("write", path)
            if lag_s == 0:
                self._take(path, file, text)
            elif lag_s < math.inf:
                threading.Timer(lag_s, self._take, (path, file, text)).start()
        except OSError as error:
            entry["errno"] = error.errno
            raise

    @contextmanager
    def _plug(self, path: str) -> Iterator[None]:
        """Plugging takes as long as a fault delays it; nothing holds the lock of the board meanwhile."""
        is_plug = path.endswith("/online")
        self._plugging += is_plug
        try:
            yield
        finally:
            self._plugging -= is_plug

    def settings(self) -> dict[str, str]:
        """Text of every file that root can set, by path; of a policy that sleeps or throttles, what is kept."""
        with self.lock:
            return {
                path: file.setting().decode().rstrip("\n")
                for path, file in self.tree.walk()
                if isinstance(file, KernelFile) and file.store and file.show
            }

    def disk_paths(self) -> list[str]:
        """All paths on the disk and in ``/run``."""
        return [path for path, node in self.tree.walk() if path and not path.startswith(("/sys", "/proc"))]

    def _take(self, path: str, file: KernelFile, text: str) -> None:
        with self.lock:
            if self.tree.has(path) and self.tree.find(path) is file:
                file.take(text)
                self.settle()

    def _place_cpus(self) -> None:
        self.cpus = Cpus(
            self.tree,
            self.spec.clusters,
            self._table("cpu_khz"),
            kernel=self.kernel,
            drops_sleeping_table=self.spec.drops_sleeping_table,
            boot_core_has_switch=self.spec.boot_core_has_switch,
            clock=self._cpu_khz,
            cap=self._cooling_cap_khz,
        )

    def _place_gpu(self) -> None:
        self.gpu = Gpu(
            self.tree,
            self.spec,
            self._table("gpu_hz"),
            tpc_pg_mask=self._preset.tpc_pg_mask or 0,
            clock=self._gpu_hz,
            load=lambda: self.load,
            asleep=self._gpu_asleep,
        )

    def _place_emc(self) -> None:
        jetpack, table_hz = self.spec.jetpack, self._table("emc_hz")
        if jetpack == 7:
            self.bandwidth = Devfreq(
                table_hz,
                "userspace",
                is_old=False,
                shows_no_cap_as_long_max=False,
                clock=self._devfreq_emc_hz,
            )
            self.bandwidth.place(self.tree, "/sys/devices/platform/bwmgr/devfreq/bwmgr", "/sys/devices/platform/bwmgr")
            self.tree.place("/sys/kernel/debug", Directory(mode=0o700))
            return
        self.emc = Emc(table_hz, lambda: self.load)
        if jetpack == 6:
            self.emc.place_clk_cap(self.tree)
        else:
            self.emc.place_iso_cap(self.tree)
        self.emc.place_debugfs(self.tree, rates_in_one_file=jetpack > 4)

    def _place_monitors(self) -> None:
        numbers = count(self._boots % 3)
        monitors = Monitors(self.tree, self.spec.jetpack, self.shown_w, numbers)
        for chip in self.spec.chips:
            monitors.place(chip)
        if self.spec.jetpack in (5, 6):
            self.thermals.place_over_current(next(numbers))

    def _apply_preset(self) -> None:
        """What nvpmodel does at boot."""
        caps = self._preset.caps
        for cluster, policy in self.cpus.policies.items():
            policy.limits.set_ceiling(caps.get(cluster.khz_knob, policy.limits.ceiling))
            policy.limits.set_floor(self.spec.cpu_floor_khz)
        for core in self.cpus.online - cores_online(self.spec.clusters, self._preset):
            self.cpus.set_online(core, online=False)
        if "gpu_hz" in caps:
            self.gpu.devfreq.limits.set_ceiling(caps["gpu_hz"])
        if "emc_hz" not in caps:
            return
        if self.spec.jetpack == 7:
            self.bandwidth.limits.set_ceiling(caps["emc_hz"])
        elif self.spec.jetpack == 6:
            self.emc.store_clk_cap(str(caps["emc_hz"]))
        else:
            self.emc.store_iso_cap(str(caps["emc_hz"]))

    def _watch_heat(self) -> None:
        thermal = self.plant.thermal
        is_hot = self.plant.temperature_c > (thermal.release_c if self._is_hot else thermal.trip_c)
        if is_hot != self._is_hot:
            self._is_hot = is_hot
            self.settle()

    def _cpu_khz(self, policy: Policy) -> int:
        picked_khz = policy.governor.pick(policy.limits, self.load)
        return self._throttled(picked_khz, "throttled_cpu_khz", policy.limits.table)

    def _cooling_device(self, cluster: Cluster) -> str:
        number = self.spec.clusters.index(cluster)
        return self.kernel.cooling_device.format(number=number, core=cluster.cores[0])

    def _cooling_cap_khz(self, cluster: Cluster) -> int | None:
        """Each state of a cooling device takes one more value off the top of the table: measured on 5.10.223."""
        state = self.thermals.state(self._cooling_device(cluster)) if self._is_running else 0
        return self._table("cpu_khz")[-1 - state] if state else None

    def _hottest_state(self) -> int:
        """The state of a cluster's cooling device above the trip point."""
        table = self._table("cpu_khz")
        throttled_khz = rounded_down(physics_of(self.spec.key).thermal.throttled_cpu_khz, table)
        return len(table) - 1 - table.index(throttled_khz)

    def _gpu_hz(self, gpu: Devfreq) -> int:
        picked_hz = gpu.governor.pick(gpu.limits, self.load)
        return self._throttled(picked_hz, "throttled_gpu_hz", gpu.limits.table)

    def _emc_hz(self) -> int:
        return self._devfreq_emc_hz(self.bandwidth) if self.spec.jetpack == 7 else self.emc.rate_hz

    def _devfreq_emc_hz(self, bandwidth: Devfreq) -> int:
        return bandwidth.governor.pick(bandwidth.limits, self.load)

    def _throttled(self, picked: int, cap: str, table: tuple[int, ...]) -> int:
        if not self._is_running or not self.thermals.is_slowed:
            return picked
        return min(picked, rounded_down(getattr(self.plant.thermal, cap), table))

    def _table(self, knob: str) -> tuple[int, ...]:
        if knob in self.spec.tables:
            return self.spec.tables[knob]
        names = {knob, *(cluster.khz_knob for cluster in self.spec.clusters if knob == "cpu_khz")}
        return next(entry.values for entry in self._catalogued.knobs if entry.name in names)
