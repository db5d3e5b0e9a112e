"""A captured board as a folder of files, which devices and doctor read as they read a board."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.devices.capture import read_archive
from lightning_powertrain.errors import FileFormatError

_BOOT_ID = "proc/sys/kernel/random/boot_id"


def unpack_capture(archive: str | Path, folder: str | Path) -> Path:
    """Write the files of a capture into a folder, and return it: a root for ``SysfsDevice(root)``.

    The files hold what they said at that moment. Nothing in them behaves: a clock that is set stays what was written.

    Args:
        archive: What ``powertrain capture`` wrote; it may come from anybody.
        folder: An empty folder, or one that does not exist.

    Raises:
        FileFormatError: If the archive is no capture, or the folder is not empty.
    """
    root = Path(folder)
    taken = read_archive(Path(archive))
    if root.exists() and any(root.iterdir()):
        raise FileFormatError(f"{root} is not empty: a captured board needs a folder of its own")
    for name in taken.folders:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, content in {**taken.files, _BOOT_ID: b"captured\n"}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root
