"""The page of the ``powertrain`` command, from what the command says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from lightning_powertrain.cli import app

_INTRO = """\
# The command

`powertrain COMMAND --help` says the same in the terminal. Every command exits with 0, with 1 if it did not work,
and with 2 if it was called wrongly.
"""


def command_page() -> str:
    """Markdown: a section for each command, a row for each argument and option."""
    return "\n".join([_INTRO, *_sections(get_command(app), "powertrain")])


def _sections(command: Any, path: str) -> Iterator[str]:
    for name, each in getattr(command, "commands", {}).items():
        yield from _sections(each, f"{path} {name}")
    if not hasattr(command, "commands"):
        rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        table = ["| option | meaning |", "|---|---|", *rows] if rows else []
        yield "\n".join([f"## {path}", "", command.help, "", *table, ""])


def _row(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if is_argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    has_default = not is_argument and parameter.default is not None and parameter.default is not False
    default = f" Default: `{parameter.default}`." if has_default else ""
    # What a cell holds must neither end it nor be taken for a tag.
    text = f"{parameter.help}{default}".replace("|", "\\|").replace("<", "&lt;")
    return f"| `{name}` | {text} |"
