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
    sudo: Annotated[
        bool, typer.Option("--sudo", help="Add a sudoers rule instead of a service; the default without systemd.")
    ] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Say what would be done, and do nothing.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Undo it.")] = False,
) -> None:
    """Install the root helper, and a service or a sudoers rule that starts it: run once, with sudo."""
    from lightning_powertrain.devices import helper_setup
    from lightning_powertrain.devices.helper_ways import powertrain_command

    if os.geteuid() != 0 and not print_only:
        command = powertrain_command("setup-helper", *(["--remove"] if remove else []))
        raise DeviceError(f"this needs root: `{command}`. --print shows what it would do")
    if remove and print_only:
        typer.echo("\n".join(helper_setup.describe_removal()))
    elif remove:
        found = helper_setup.remove()
        typer.echo("The root helper is removed." if found else "There is no root helper installed.")
    else:
        _install(user or _caller(), sudo or not helper_setup.has_systemd(), print_only)


def _install(user: str, sudo: bool, print_only: bool) -> None:
    from lightning_powertrain.devices.helper_setup import Installation
    from lightning_powertrain.devices.helper_ways import GROUP, powertrain_command

    installation = Installation(user, sudo)
    if print_only:
        typer.echo("\n".join(installation.describe()))
        return
    installation.install()
    undo = f"`{powertrain_command('setup-helper', '--remove')}` undoes it."
    if sudo:
        typer.echo(f"{user} may now set power modes. {undo}")
    else:
        typer.echo(f"{user} is now in the group {GROUP} and may set power modes from the next login on. {undo}")


def _caller() -> str:
    """The user who called sudo, or who runs this."""
    import pwd

    name = os.environ.get("SUDO_USER") or (pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else None)
    if name is None:
        raise ArgumentError(
            "--user=NAME is missing: name the user who trains; root itself needs no helper to be installed"
        )
    return name
