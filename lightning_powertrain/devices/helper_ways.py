"""Where the root helper is on this machine, and which way leads to it: a service, root's own rights, or sudo."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from lightning_powertrain.devices import roothelper
from lightning_powertrain.devices.helper_transport import HelperProcess, HelperService, Transport
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed

INSTALL_FOLDER = Path("/usr/local/libexec/lightning-powertrain")
LAUNCHER = "powertrain-helper"
"""The executable in that folder: a script, because what is named in a sudoers rule must not be an interpreter."""

MARKER = Path("roothelper/INSTALLED")
"""Marks the copy as installed, and lists the ways to it, one a line: ``service``, ``sudo``."""

SOCKET = Path("/run/powertrain/helper.sock")
"""In a folder of its own, which a container can mount; the helper's state lies where only root can look."""

UNIT = "powertrain-helper"
GROUP = "powertrain"
SOURCE_FOLDER = Path(roothelper.__file__).parent
PYTHON_FLAGS = "-ISB"
"""Isolated, without site-packages, without leaving byte code behind."""


def powertrain_command(*arguments: str) -> str:
    """What to type to run a ``powertrain`` command as root: sudo does not look into virtual environments."""
    script = Path(sys.executable).with_name("powertrain")
    return " ".join(("sudo", str(script) if os.access(script, os.F_OK) else "powertrain", *arguments))


def usual_transport(path: Path = SOCKET, install_folder: Path = INSTALL_FOLDER) -> Transport:
    """The first way that is open to this process: the service, root's own rights, sudo.

    Raises:
        DeviceError: If none is; it says what opens one.
    """
    reason = None
    try:
        return HelperService(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        log_swallowed("connecting to the root helper's service", error)
        reason = DeviceError(_why_not(error, path))
        reason.__cause__ = error
    if os.geteuid() == 0 and (reason is None or os.access("/sys/devices/system/cpu", os.W_OK)):
        return HelperProcess([sys.executable, PYTHON_FLAGS, str(SOURCE_FOLDER)])
    if "sudo" in installed_ways(install_folder):
        return HelperProcess(["sudo", "-n", str(install_folder / LAUNCHER)])
    raise reason or DeviceError(_not_there(install_folder))


def installed_ways(install_folder: Path = INSTALL_FOLDER) -> list[str]:
    """Which ways ``setup-helper`` has made."""
    try:
        return (install_folder / MARKER).read_text(encoding="utf-8").split()
    except OSError:
        return []


def _not_there(install_folder: Path) -> str:
    if "service" in installed_ways(install_folder):
        return f"the root helper's service does not listen: `sudo systemctl enable --now {UNIT}.socket` starts it"
    return (
        "setting a power mode needs root, and the helper that does it is not installed: "
        f"`{powertrain_command('setup-helper')}` installs it"
    )


def _why_not(error: OSError, path: Path) -> str:
    """Why the service cannot be reached, and what helps."""
    if isinstance(error, PermissionError):
        return _not_in_group()
    if isinstance(error, ConnectionRefusedError):
        return (
            f"no process listens on the root helper's socket {path}: "
            f"`sudo systemctl restart {UNIT}.socket` starts its service"
        )
    if error.errno == errno.EAGAIN:
        return (
            "the root helper's service takes no more connections, because too many wait: "
            f"`sudo systemctl restart {UNIT}.socket` ends those"
        )
    return f"the root helper's service cannot be reached ({error}): `sudo systemctl status {UNIT}.socket` shows more"


def _not_in_group() -> str:
    import grp
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
        member = user in grp.getgrnam(GROUP).gr_mem
    except KeyError:  # In a container users and groups have numbers, and may have no names.
        return (
            f"this user may not use the root helper's service. In a container: `docker run --group-add $(getent group "
            f"{GROUP} | cut -d: -f3) ...`, typed on the board"
        )
    if member:
        return f"{user} is in the group {GROUP}, but not in this login: log in again, or type `newgrp {GROUP}` here"
    return (
        f"this user may not use the root helper's service: `sudo gpasswd -a {user} {GROUP}` allows it, from the next "
        "login on"
    )
