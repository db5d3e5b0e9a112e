"""The TOML files beside this module: one folder a kind of thing, one file a thing."""

from __future__ import annotations

import sys
from importlib import resources
from typing import Any

from lightning_powertrain.errors import ArgumentError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def names_in(folder: str) -> tuple[str, ...]:
    """Names of the files in a folder, sorted, without their ending."""
    entries = (resources.files(__package__) / folder).iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def read(folder: str, name: str, argument: str) -> dict[str, Any]:
    """The file called ``name``.

    Raises:
        ArgumentError: If there is none; the message names ``argument`` and all that there are.
    """
    if name not in names_in(folder):
        raise ArgumentError.of(argument, name, f"one of {', '.join(names_in(folder))}")
    return tomllib.loads((resources.files(__package__) / folder / f"{name}.toml").read_text(encoding="utf-8"))
