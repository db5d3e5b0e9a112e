"""The API pages: every public name is on one, and so is every type in a public signature."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pages import ROOT

import lightning_powertrain

ENTRIES = [
    entry
    for page in sorted((ROOT / "docs/api").glob("*.md"))
    for entry in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.M)
]


def found(entry: str) -> Any:
    """What the name on a page stands for."""
    parts = entry.split(".")
    for depth in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:depth]))
        except ImportError:
            continue
        for name in parts[depth:]:
            thing = getattr(thing, name)
        return thing
    raise LookupError(entry)


DOCUMENTED = {entry: found(entry) for entry in ENTRIES}


# Made by fit_reference or powertrain alone: nobody else calls their constructors.
OPAQUE = ["ReferenceModel", "ModelTuning"]


def functions(thing: Any) -> Iterator[Any]:
    """A function itself; of a class, what it declares publicly."""
    if not inspect.isclass(thing):
        yield thing
        return
    for name, member in inspect.getmembers(thing):
        member = member.fget if isinstance(member, property) else member
        ours = (getattr(member, "__module__", None) or "").startswith("lightning_powertrain")
        if inspect.isroutine(member) and ours and (name == "__init__" or not name.startswith("_")):
            yield member


def classes_in(hint: Any) -> Iterator[type]:
    for part in typing.get_args(hint):
        yield from classes_in(part)
    if inspect.isclass(hint) and hint.__module__.startswith("lightning_powertrain"):
        yield hint


def test_every_public_name_is_on_a_page() -> None:
    on_pages = {entry.split(".")[1] for entry in ENTRIES if entry.count(".") == 1}
    assert on_pages - {"errors"} == set(lightning_powertrain.__all__)


@pytest.mark.parametrize("entry", [entry for entry, thing in DOCUMENTED.items() if callable(thing)])
def test_every_type_in_a_public_signature_is_on_a_page(entry: str) -> None:
    known = list(DOCUMENTED.values())
    for function in functions(DOCUMENTED[entry]) if DOCUMENTED[entry].__name__ not in OPAQUE else ():
        try:
            hints = typing.get_type_hints(function)
        except (NameError, TypeError):  # Imported for type checkers alone, such as matplotlib's Figure.
            continue
        for argument, hint in hints.items():
            for each in classes_in(hint):
                assert any(each is one for one in known), f"{function.__qualname__}, {argument}: {each.__qualname__}"
