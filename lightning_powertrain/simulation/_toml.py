"""The TOML files beside this module: one folder a kind of thing, one file a thing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lightning_powertrain.errors import ArgumentError, one_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HERE = Path(__file__).parent


def names_in(folder: str) -> tuple[str, ...]:
    """Names of the files in a folder, sorted, without their ending."""
    return tuple(sorted(file.stem for file in (_HERE / folder).glob("*.toml")))


def read(folder: str, name: str, argument: str) -> dict[str, Any]:
    """The file called ``name``.

    Raises:
        ArgumentError: If there is none; the message names ``argument`` and all that there are.
    """
    if name not in names_in(folder):
        raise ArgumentError.of(argument, name, one_of(name, names_in(folder)))
    return tomllib.loads((_HERE / folder / f"{name}.toml").read_text(encoding="utf-8"))
