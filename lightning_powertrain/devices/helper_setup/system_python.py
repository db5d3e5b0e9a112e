"""The Python that runs the root helper: the system's, because only root can change it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lightning_powertrain.devices.helper_setup.root_only import check_only_root_writes, check_tree
from lightning_powertrain.devices.helper_ways import PYTHON_FLAGS
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed

OLDEST_PYTHON = (3, 8)
_PYTHONS = ("/usr/bin/python3", *(f"/usr/bin/python3.{minor}" for minor in range(14, 7, -1)), "/usr/local/bin/python3")
_LIBRARY = f"import sys; print(*sys.path, sep='\\n') if sys.version_info >= {OLDEST_PYTHON} else None"


def system_python() -> Path:
    """A Python that is new enough, and that only root can change together with its standard library.

    Raises:
        DeviceError: If there is none; it names what is wrong with the first one that would do.
    """
    refused: DeviceError | None = None
    for python in map(Path, _PYTHONS):
        try:
            check_only_root_writes(python)  # The next line runs it as root.
            if _checked_library(python):
                return python
        except OSError:  # It is not there, or is no program of this machine.
            continue
        except DeviceError as error:
            log_swallowed(f"checking {python} for the root helper", error)
            refused = refused or error
    if refused:
        raise refused
    wanted = ".".join(map(str, OLDEST_PYTHON))
    raise DeviceError(
        f"the root helper needs a system Python of at least {wanted}: `sudo apt-get install python{wanted}`"
    )


def _checked_library(python: Path) -> list[Path]:
    """Where this Python finds its standard library, which only root can change; nothing if it is too old."""
    command = [str(python), PYTHON_FLAGS, "-c", _LIBRARY]
    found = subprocess.run(command, check=False, capture_output=True, text=True, env={}, cwd="/")
    places = [Path(line) for line in found.stdout.splitlines()] if found.returncode == 0 else []
    for place in places:
        if place.is_dir():
            check_tree(place)
        else:  # An archive that is not there, but would be preferred if somebody put it there.
            check_only_root_writes(place if place.exists() else place.parent)
    return places
