"""What doctor finds out about the root helper, and what it says of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Callable, Iterator

from lightning_powertrain.devices.facts import Facts, HelperFacts
from lightning_powertrain.devices.findings import Finding
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.helper_setup.sudo_rule import SUDOERS, UNSAFE
from lightning_powertrain.devices.helper_ways import INSTALL_FOLDER, LAUNCHER, SOCKET, powertrain_command
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed

_SUDO_PATIENCE_S = 10.0


def helper_facts(root: Path, start: Callable[[], HelperClient]) -> HelperFacts:
    """What the helper says of itself. ``restore`` only reports, unless a killed job left something behind."""
    facts = HelperFacts(unsafe=unsafe_rule(root))
    try:
        client = start()
    except DeviceError as error:
        log_swallowed("starting the root helper", error)
        return replace(facts, error=str(error))
    try:
        status = client.ask("status")
        facts = replace(facts, way=client.way, status=status, recovered=bool(status.get("recovered")))
        try:
            return replace(facts, leftover=tuple(client.ask("restore")["differing"]))
        except DeviceError as error:
            log_swallowed("restoring the board", error)
            return replace(facts, busy=str(error))
    except DeviceError as error:
        log_swallowed("asking the root helper for its state", error)
        return replace(facts, error=str(error))
    finally:
        client.close()


def unsafe_rule(root: Path = Path("/")) -> str:
    """The sudoers rule of an earlier version, as far as this user can see it; empty if there is none.

    It named a Python, and whoever may start that as root may run anything as root.
    """
    folder = root / INSTALL_FOLDER.relative_to("/")
    if not folder.exists():
        return ""
    try:
        text = (root / SUDOERS.relative_to("/")).read_text(encoding="utf-8")
    except OSError:  # Only root reads it; sudo lists the rules of each user for that user.
        text = _own_rules() if root == Path("/") else ""
    if found := UNSAFE.search(text):
        return found[0].strip()
    earlier = (folder / "roothelper/INSTALLED").exists() and not (folder / LAUNCHER).exists()
    return f"the one that was installed together with {folder}" if earlier else ""


def _own_rules() -> str:
    """What sudo lets this user do."""
    try:
        command = ["sudo", "-n", "-l"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SUDO_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        log_swallowed("asking sudo for the rules of this user", error)
        return ""
    return done.stdout


def _check_rule(facts: Facts) -> Iterator[Finding]:
    if facts.helper.unsafe:
        text = (
            f"an earlier version's sudoers rule gives its user a root shell: {facts.helper.unsafe}. "
            "Replace it now: the rule names a Python interpreter, which runs any code"
        )
        yield Finding("sudoers rule", "fail", text, powertrain_command("setup-helper"))


def _check_helper(facts: Facts) -> Iterator[Finding]:
    helper = facts.helper
    if helper.status is None:
        reason, fix = reason_and_fix(helper.error)
        yield Finding("root helper", "fail", reason, fix or powertrain_command("setup-helper"))
    elif helper.way == "service":
        yield Finding("root helper", "ok", f"its service runs, and this user may use it ({SOCKET})")
    elif facts.root_user:
        yield Finding("root helper", "ok", "starts directly, as root")
    else:
        yield Finding("root helper", "ok", "installed, and this user may start it through sudo")


def _check_leftovers(facts: Facts) -> Iterator[Finding]:
    helper = facts.helper
    if helper.status is None:
        text = "only root can see whether a killed job left a power mode set. This command restores the board"
        yield Finding("snapshot", "note", text, powertrain_command("restore"))
    elif notes := helper.status.get("notes"):
        yield Finding("snapshot", "fail", f"the root helper reports: {'; '.join(notes)}")
    elif helper.busy:
        yield Finding("snapshot", "warn", f"{helper.busy}: a job is tuning now, and a second job has to wait")
    elif helper.leftover:
        text = f"a killed job left these settings behind, and they cannot be restored: {', '.join(helper.leftover)}"
        yield Finding("snapshot", "fail", text, "sudo reboot")
    elif helper.recovered:
        yield Finding(
            "snapshot", "note", "a killed job had left a power mode behind; the board is now as it was before"
        )
    elif helper.status.get("kept"):
        text = "`powertrain apply` has set a power mode that stays until a reboot; this restores the board's own"
        yield Finding("snapshot", "note", text, "powertrain restore")
    else:
        yield Finding("snapshot", "ok", "no power mode was left behind by a killed job")


def reason_and_fix(message: str) -> tuple[str, str]:
    """The parts of a message that ends in the command that helps, in backticks."""
    match = re.search(r"`([^`]+)`", message)
    return (message[: match.start()].rstrip(" :."), match[1]) if match else (message, "")


Check = Callable[[Facts], Iterator[Finding]]
HELPER_CHECKS: tuple[Check, ...] = (_check_rule, _check_helper, _check_leftovers)
