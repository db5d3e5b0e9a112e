"""The service: systemd listens on a socket and starts one helper for each connection, in surroundings of its own.

The helper then inherits nothing from its caller, and systemd restores the board if the helper is killed.
"""

from __future__ import annotations

import grp
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightning_powertrain.devices.helper_setup.root_only import make_folder, write_file
from lightning_powertrain.devices.helper_ways import GROUP, SOCKET, UNIT
from lightning_powertrain.devices.roothelper.server import STATE
from lightning_powertrain.errors import DeviceError

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
"""There while systemd runs the machine."""

WRITABLE = (
    "/sys/devices",
    "/sys/kernel/debug/bpmp",
    "/sys/kernel/nvpmodel_clk_cap",
    "/sys/kernel/nvpmodel_emc_cap",
)
"""Where the files of the knobs lie. Which of them exist depends on the board."""

_OTHER_WAY = "add --sudo to install a sudoers rule instead of the service"
_SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SOCKET_UNIT = f"""\
[Unit]
Description=Power modes for training jobs (lightning-powertrain)

[Socket]
ListenStream={SOCKET}
SocketUser=root
SocketGroup={GROUP}
SocketMode=0660
DirectoryMode=0755
RemoveOnStop=yes
Accept=yes
MaxConnections=32
MaxConnectionsPerSource=8
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"""
_SERVICE_UNIT = """\
[Unit]
Description=Power modes for one training job (lightning-powertrain)
CollectMode=inactive-or-failed

[Service]
ExecStart={launcher}
ExecStopPost=/bin/sh -c 'test ! -e {state}/snapshot.json || exec {launcher} </dev/null >/dev/null'
StandardInput=socket
StandardOutput=socket
StandardError=journal
TimeoutStopSec=60
OOMScoreAdjust=-900
MemoryMax=128M
TasksMax=8
LimitCORE=0
UMask=0077

RuntimeDirectory={state_name}
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ProtectSystem=strict
ProtectKernelTunables=yes
ReadWritePaths={writable}

CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateNetwork=yes
PrivateIPC=yes
PrivateTmp=yes
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectProc=invisible
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module @mount
SystemCallFilter=~@obsolete @privileged @raw-io @reboot @resources @swap
SystemCallErrorNumber=EPERM
"""


@dataclass(frozen=True)
class Service:
    """The units of systemd, and the group whose members may connect.

    Args:
        launcher: The executable that runs as root.
        units: Where systemd looks for units.
    """

    launcher: Path
    units: Path = UNITS

    def files(self) -> dict[Path, str]:
        """Each unit and its text."""
        state = Path("/", STATE)
        service = _SERVICE_UNIT.format(
            launcher=self.launcher,
            state=state,
            state_name=state.name,
            writable=" ".join(f"-{path}" for path in WRITABLE),
        )
        return {self.units / f"{UNIT}.socket": _SOCKET_UNIT, self.units / f"{UNIT}@.service": service}

    def commands(self, user: str) -> Iterator[tuple[str, ...]]:
        """What is run once the units are written."""
        if not _group_exists():
            yield ("groupadd", "--system", GROUP)
        yield ("gpasswd", "--add", user, GROUP)
        yield ("systemctl", "daemon-reload")
        yield ("systemctl", "enable", f"{UNIT}.socket")
        yield ("systemctl", "restart", f"{UNIT}.socket")

    def install(self, user: str) -> None:
        """Write the units, let the user in, and start to listen.

        Raises:
            DeviceError: If one of the commands fails.
        """
        make_folder(self.units)
        for path, text in self.files().items():
            write_file(path, text, 0o644)
        for command in self.commands(user):
            _run(command)

    @property
    def installed(self) -> bool:
        return any(path.exists() for path in self.files())

    def removal(self) -> Iterator[tuple[str, ...]]:
        """What is run before the units are taken away: all helpers end, and restore the board."""
        if has_systemd():
            yield ("systemctl", "disable", "--now", f"{UNIT}.socket")
            yield ("systemctl", "stop", f"{UNIT}@*.service")
        if _group_exists():
            yield ("groupdel", GROUP)

    def remove(self) -> bool:
        """Stop the service and take away units and group; whether there were any."""
        if not self.installed:
            return False
        for command in self.removal():
            _run(command)
        for path in self.files():
            path.unlink(missing_ok=True)
        if has_systemd():
            _run(("systemctl", "daemon-reload"))
        return True


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return BOOTED.is_dir()


def _group_exists() -> bool:
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        return False
    return True


def _run(command: tuple[str, ...]) -> None:
    program = shutil.which(command[0], path=_SEARCH)
    if program is None:
        raise DeviceError(f"{command[0]} is not installed here; {_OTHER_WAY}")
    done = subprocess.run([program, *command[1:]], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise DeviceError(f"`{' '.join(command)}` failed ({reason}); {_OTHER_WAY}")
