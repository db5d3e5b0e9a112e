"""``powertrain setup-helper``: let one user set power modes without being root."""

from __future__ import annotations

import os
from typing import Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError, DeviceError


def setup_helper(
    user: Annotated[
        Optional[str], typer.Option(help="Who may set power modes; without it, the user who called sudo.")
    ] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Say what would be done, and do nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Undo it.")] = False,
) -> None:
    """Install the root helper and the sudoers rule for it: run once, with sudo."""
    from lightning_powertrain.devices import helper_setup
    from lightning_powertrain.devices.helper_client import INSTALL_FOLDER, powertrain_command
    from lightning_powertrain.devices.helper_setup.sudo_rule import SUDOERS

    if os.geteuid() != 0 and not print_only:
        command = powertrain_command("setup-helper", *(["--remove"] if remove else []))
        raise DeviceError(f"this needs root: `{command}`. --print shows what it would do")
    if remove and print_only:
        typer.echo(f"remove {SUDOERS}\nremove {INSTALL_FOLDER}")
    elif remove:
        found = helper_setup.remove()
        typer.echo("The root helper is removed." if found else "There is no root helper installed.")
    else:
        _install(user or _caller(), print_only)


def _install(user: str, print_only: bool) -> None:
    from lightning_powertrain.devices.helper_client import powertrain_command
    from lightning_powertrain.devices.helper_setup import Installation

    installation = Installation(user)
    if print_only:
        typer.echo("\n".join(installation.describe()))
        return
    installation.install()
    typer.echo(f"{user} may now set power modes. `{powertrain_command('setup-helper', '--remove')}` undoes it.")


def _caller() -> str:
    """The user who called sudo, or who runs this."""
    import pwd

    name = os.environ.get("SUDO_USER") or (pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else None)
    if name is None:
        raise ArgumentError(
            "--user=NAME is missing: name the user who trains; root itself needs no helper to be installed"
        )
    return name
