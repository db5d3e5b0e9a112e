"""What the annotations of a command say reaches its options on every Python."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.main import get_command

from lightning_powertrain.cli import app


def commands(group: Any = None, name: str = "powertrain") -> list[tuple[str, Any]]:
    """Every command below a group, with its full name."""
    group = group or get_command(app)
    found = [(name, group)]
    for each in getattr(group, "commands", {}).values():
        found += commands(each, f"{name} {each.name}")
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_annotations_are_resolved_before_typer_reads_them(name: str, command: Any) -> None:
    # Typer evaluates strings from Python 3.10 on only. Without that, all that Annotated says is lost.
    of_function = [each for each in app.registered_commands if each.name == name.split()[-1]]
    for each in of_function:
        assert each.callback is not None
        assert not any(isinstance(annotation, str) for annotation in each.callback.__annotations__.values()), name


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("powertrain", "--version"),
        ("powertrain doctor", "--json"),
        ("powertrain run", "-m"),
        ("powertrain run", "--quiet"),
        ("powertrain reference fit", "--help"),
    ],
)
def test_options_have_the_names_that_the_documentation_gives(name: str, option: str) -> None:
    command = dict(commands())[name]
    names = [each for parameter in command.get_params(typer.Context(command)) for each in parameter.opts]
    assert option in names


def test_every_option_is_explained() -> None:
    for name, command in commands():
        context = typer.Context(command)
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            assert record is None or record[1], f"{name} {parameter.name}"
