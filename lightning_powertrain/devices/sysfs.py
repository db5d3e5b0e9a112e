"""A real Jetson: read straight from sysfs, set through the root helper."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import Board, Knob, ModeSpace, PowerMode
from lightning_powertrain.devices import sysfs_health
from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.devices.affinity import Affinity
from lightning_powertrain.devices.device import BaseDevice
from lightning_powertrain.devices.gpu_clusters import GpuClusters, read_gpu_clusters
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.jtop_power import JtopPower
from lightning_powertrain.devices.nvml_load import NvmlLoad
from lightning_powertrain.devices.power_source import Health, PowerReading
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.knobs import Knobs
from lightning_powertrain.devices.roothelper.reading import read_raw
from lightning_powertrain.devices.sysfs_activity import SysfsLoad, read_cpu_times
from lightning_powertrain.devices.sysfs_board import identify, is_jetson, own_identity, with_tables
from lightning_powertrain.devices.sysfs_power import SysfsPower
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError
from lightning_powertrain.logs import log_swallowed, warn

COOLING_S = 10.0
"""How long a board that throttles gets to cool down before its state is saved."""

_COOLING_STEP_S = 0.2


def find_jetson(root: str | Path = "/") -> SysfsDevice:
    """The Jetson that this process runs on.

    Args:
        root: Where its file systems are; anything but ``/`` is for tests.

    Raises:
        DeviceNotFoundError: If this is not a Jetson, or it shows nothing that could be set.
    """
    if not is_jetson(Path(root)):
        raise DeviceNotFoundError(
            "no Jetson found here: there is no /etc/nv_tegra_release, no tegra in /proc/device-tree/compatible and no "
            'Jetson GPU in /sys/class/devfreq. device="simulated:orin-agx-64gb" tries everything without a board'
        )
    return SysfsDevice(root)


class SysfsDevice(BaseDevice):
    """A Jetson, found by the files that are there.

    Reading needs no rights but for the EMC clock. Without the root helper the device can be read, not set; the helper
    is started by the constructor, because it sees tables that are hidden from everybody else.

    Args:
        root: Where the board's file systems are; anything but ``/`` is for tests.
        helper: Starts the root helper; None for the usual way, which is for the board under ``/`` and no other.

    Raises:
        DeviceNotFoundError: If the board shows nothing that could be set.
        DeviceError: If this kind of board has no power sensor.
    """

    def __init__(self, root: str | Path = "/", helper: Callable[[], HelperClient] | None = None) -> None:
        self._root = Path(root)
        self._start_helper = helper or self._start_usual_helper
        self._affinity = Affinity(self._root)
        self._load = SysfsLoad(self._root, NvmlLoad() if self._root == Path("/") else None)
        self._held = False
        self._helper: HelperClient | None = None
        self._helper_error: DeviceError | None = None
        own = find_knobs(self._root)
        tables = {name: knob.values for name, knob in own.known().items()}
        catalogued = identify(self._root, tables)
        self._readable = _filled(own, catalogued)
        self._power = self._find_power(catalogued)
        self.settle_s = self._power.settle_s
        self._clusters = read_gpu_clusters(self._root, catalogued)
        knobs = self._settable_knobs() or _as_knobs(self._readable)
        if not knobs:
            raise DeviceNotFoundError("no power setting was found on this Jetson: is /sys mounted here?")
        self.modes = ModeSpace(knobs)
        model = (read_raw(self._root / "proc/device-tree/model") or "").strip("\0\n")
        identity = {**own_identity(self._root), **self._clusters.identity}
        self.board = replace(with_tables(catalogued, knobs, model), identity=identity)
        if catalogued and (missing := {knob.name for knob in catalogued.knobs} - set(self.modes.names)):
            what = "%s: power modes leave %s unchanged, which cannot be set here; `powertrain doctor` says why"
            names = ", ".join(sorted(missing))
            warn(what, self.board.title, names, see="boards.md#what-is-set-and-how", once=True)

    def _settable_knobs(self) -> tuple[Knob, ...]:
        """What the helper says can be set; nothing without one."""
        try:
            status = self._running_helper().ask("status")
            for note in status.get("notes", ()):
                warn("the root helper reports: %s", note, see="safety.md#how-the-board-comes-back", once=True)
            if status["asleep"]:  # Clocks of cores that are offline: only waking them shows the table.
                status = self._hold()
                self._running_helper().ask("restore")
        except DeviceError as error:
            log_swallowed("asking the root helper for the settings", error)
            self._helper_error = error
            return ()
        return tuple(Knob(name, knob["role"], tuple(knob["values"])) for name, knob in status["knobs"].items())

    def _hold(self) -> Mapping[str, Any]:
        end_s = time.monotonic() + COOLING_S
        while lowering(self._root) and time.monotonic() < end_s:
            time.sleep(_COOLING_STEP_S)
        return self._running_helper().ask("hold")

    def _running_helper(self) -> HelperClient:
        if self._helper is None or not self._helper.alive:
            self._helper = self._start_helper()
        return self._helper

    def _start_usual_helper(self) -> HelperClient:
        if self._root.resolve() != Path("/"):
            raise DeviceError(f"the board under {self._root} is not the one that the root helper sets: it is only read")
        return HelperClient()

    def _find_power(self, catalogued: Board | None) -> SysfsPower | JtopPower:
        """Sysfs, or jtop where sysfs shows no power to this user and jtop is installed."""
        rails, total = (catalogued.rails, catalogued.total) if catalogued else ((), "sum")
        power: SysfsPower | JtopPower = SysfsPower(self._root, rails, total)
        if catalogued and not rails and not power.source:
            raise DeviceError(f"{catalogued.title} has no power sensor, so its power modes cannot be compared")
        if isinstance(power, SysfsPower) and not power.readable and JtopPower.installed():
            try:
                power = JtopPower(rails)
            except DeviceError as error:
                warn("no power sensor can be read here: %s", error, see="boards.md#power", once=True)
        if power.caveat:
            what = "the total power of this board (%s) is uncertain: %s"
            warn(what, power.source, power.caveat, see="boards.md#power", once=True)
        return power

    @property
    def power_source(self) -> str:
        """Where the total power comes from: ``VDD_IN``, or ``sum:VDD_GPU_SOC+...``."""
        return self._power.source

    @property
    def helper_error(self) -> DeviceError | None:
        """Why this device can be read but not set; None if it can be set."""
        return self._helper_error

    @property
    def temperatures_c(self) -> dict[str, float]:
        """Temperature of each thermal zone, in degrees Celsius."""
        return sysfs_health.temperatures_c(self._root)

    def current_mode(self) -> PowerMode:
        """The mode that the board has now: the cap of each clock, or the rate to which the EMC is pinned.

        The clock of a cluster without an online core reads as its lowest. Without the helper the EMC clock is hidden
        on JetPack 4 and 5, and reads as its highest.
        """
        if self._helper_error is None:
            return self._as_mode(self._running_helper().ask("status")["mode"])
        return self._as_mode(self._readable.read())

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        """Set a mode and return what the board reads back; takes a snapshot first if there is none.

        Raises:
            ModeError: If the mode is not in :attr:`modes`; nothing was written then.
            DeviceError: If the board refused a write, or the helper is not there.
        """
        self.modes.index(mode)
        if not self._held:
            self.snapshot()
        assert self._helper is not None
        read = self._as_mode(self._helper.ask("apply", mode=dict(mode))["mode"])
        self._affinity.restore()
        return read

    def read_power(self) -> PowerReading:
        """Power at this instant.

        Raises:
            DeviceError: If no sensor can be read.
        """
        return self._power.read()

    def read_load(self) -> Load:
        return self._load.read()

    def read_cpu_times(self) -> CpuTimes:
        return read_cpu_times(self._root)

    def health(self) -> Health:
        return sysfs_health.read_health(self._root)

    def snapshot(self) -> None:
        """Have the helper save every setting to disk; while one is held, the board's own state is already saved.

        A board that throttles does not show its own limits; it gets some seconds to cool down.

        Raises:
            DeviceError: If the helper is not there, another process holds the board, or the board stays too hot.
        """
        if self._helper_error is not None:
            raise self._helper_error
        if not self._held:
            self._affinity.remember()
        self._hold()
        self._held = True
        if self._clusters.off:
            warn("%s", _loss_of(self._clusters), see="boards.md#stock-modes-and-the-gpus-clusters", once=True)

    def restore(self) -> None:
        """Restore every setting. A helper that has died is replaced: the new one restores what the old one saved.

        Raises:
            DeviceError: If some file could not be restored; another call tries again.
        """
        if not self._held:
            return
        try:
            answer = self._running_helper().ask("restore")
        except DeviceError as error:
            if self._helper is None or self._helper.alive:
                raise
            log_swallowed("restoring the board with a root helper that was killed", error)
            answer = self._running_helper().ask("restore")  # the one that was asked was killed while it did it
        if differing := answer["differing"]:
            raise DeviceError(f"these settings could not be restored: {', '.join(differing)}")
        self._held = False
        if lost := self._affinity.restore():
            what = (
                "this process may no longer use CPUs %s, though they are online again: its control group (v1) forgets "
                "CPUs that were offline"
            )
            warn(what, ", ".join(map(str, sorted(lost))), see="containers.md", once=True)

    def keep(self) -> tuple[str, ...]:
        """Leave the mode that was applied when this device is closed, until ``powertrain restore`` or a reboot.

        Returns:
            What the helper reports besides, such as that the settings of an earlier call are damaged.

        Raises:
            DeviceError: If no mode was applied, or the helper cannot keep it; the board is restored at the end then.
        """
        notes = self._running_helper().ask("keep")["notes"]
        self._held = False
        return tuple(notes)

    def close(self) -> None:
        """Restore the board, and end the helper and the power source; happens automatically when the process ends."""
        if self._helper is not None:
            self._helper.close()
        if self._held:
            self._affinity.restore()
        self._held = False
        self._power.close()
        self._load.close()

    def _as_mode(self, values: Mapping[str, Any]) -> PowerMode:
        return PowerMode(**{name: values[name] for name in self.modes.names})


def _loss_of(clusters: GpuClusters) -> str:
    remedy = f"`{clusters.command}` selects" if clusters.command else "they are on in"
    return (
        f"the stock mode that this job runs in ({clusters.mode or 'its name is hidden'}) has {clusters.loss} off, and "
        f"no clock makes up for that: {remedy} {clusters.freer}, which takes a reboot"
    )


def _filled(knobs: Knobs, catalogued: Board | None) -> Knobs:
    """Knobs whose table is hidden from this user get the catalogue's."""
    tables = {knob.name: knob.values for knob in catalogued.knobs} if catalogued else {}
    clocks = [clock if clock.values else replace(clock, values=tables.get(clock.name, ())) for clock in knobs.clocks]
    return replace(knobs, clocks=tuple(clocks))


def _as_knobs(knobs: Knobs) -> tuple[Knob, ...]:
    return tuple(Knob(name, knob.role, knob.values) for name, knob in knobs.known().items())  # type: ignore[arg-type]
