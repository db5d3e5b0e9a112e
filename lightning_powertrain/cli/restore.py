"""``powertrain restore``: restore the board as it was before ``powertrain apply``, or before a job that was killed."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.errors import DeviceError
from lightning_powertrain.terminal import print_line

_ROOT = Path("/")


def restore() -> None:
    """Restore the board: after `powertrain apply`, or after a job that was killed together with its helper."""
    from lightning_powertrain.boards import PowerMode
    from lightning_powertrain.devices.helper_client import HelperClient
    from lightning_powertrain.devices.inspection import STATE_FOLDER
    from lightning_powertrain.devices.sysfs_board import is_jetson

    if not is_jetson(_ROOT) and not (_ROOT / STATE_FOLDER).exists():
        print_line("There is nothing to restore: this is not a Jetson, or a container hides it.")
        return
    client = HelperClient()
    try:
        recovered = client.ask("status")["recovered"]
        answer = client.ask("revert")
    finally:
        client.close()
    for note in answer.get("notes", ()):
        print_line(f"{note}.")
    if answer["differing"]:
        raise DeviceError(
            f"these settings could not be restored: {', '.join(answer['differing'])}. A reboot resets them"
        )
    mode = PowerMode(**answer["mode"])
    has_restored = recovered or answer["reverted"]
    found = "The board is as it was" if has_restored else "There is nothing to restore. The board's mode"
    print_line(f"{found}: {mode}.")
