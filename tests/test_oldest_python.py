"""The source runs on Python 3.8: nothing newer is written, nor built when a module is imported.

Annotations are never evaluated (``from __future__ import annotations``), except by typer and jsonargparse.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("lightning_powertrain", "callbacks", "examples", "benchmarks", "tests", "docs/building")
SOURCES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))

BUILTIN = {"dict", "frozenset", "list", "set", "tuple", "type"}
# Of classes that the standard library made generic in 3.9.
GENERIC_SINCE_3_9 = ("collections", "collections.abc", "contextlib", "os", "queue", "re", "subprocess")
# vermin knows the methods of literals only.
NEWER_METHODS = {
    *("removeprefix", "removesuffix", "bit_count"),
    *("is_relative_to", "readlink", "with_stem", "hardlink_to"),
    "add_note",
}


def evaluated(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes that Python evaluates: all but annotations and what only type checkers see."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.If) and name_of(child.test) == "TYPE_CHECKING":
                child = ast.Module(child.orelse, [])
            if isinstance(child, ast.AST):
                yield child
                yield from evaluated(child)


def name_of(node: ast.AST) -> str:
    """The last part of a dotted name, without its subscript."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def is_a_type(node: ast.AST) -> bool:
    """Whether an operand of ``|`` looks like a type; constants such as ``re.MULTILINE`` and sets do not."""
    name = name_of(node)
    is_class = name[:1].isupper() and not name.isupper()
    is_none = isinstance(node, ast.Constant) and node.value is None
    return is_none or is_class or name in {*BUILTIN, "bool", "bytes", "float", "int", "object", "str"}


def is_a_dict(node: ast.AST) -> bool:
    if isinstance(node, ast.IfExp):
        return is_a_dict(node.body) or is_a_dict(node.orelse)
    return isinstance(node, (ast.Dict, ast.DictComp)) or (isinstance(node, ast.Call) and name_of(node.func) == "dict")


def generics(tree: ast.AST) -> set[str]:
    """Names in a module that Python 3.8 cannot subscribe."""
    imported = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return BUILTIN | {each.name for node in imported if node.module in GENERIC_SINCE_3_9 for each in node.names}


def too_new(nodes: Iterator[ast.AST], unsubscriptable: set[str]) -> Iterator[str]:
    """Lines that Python 3.8 fails on, with the reason."""
    for node in nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in unsubscriptable:
            yield f"line {node.lineno}: subscribes {node.value.id}; take it from typing"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            if is_a_type(node.left) or is_a_type(node.right):
                yield f"line {node.lineno}: a union of types; take Union or Optional, for isinstance a tuple"
            elif is_a_dict(node.left) or is_a_dict(node.right):
                yield f"line {node.lineno}: a union of dictionaries; take {{**one, **other}}"
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr) and is_a_dict(node.value):
            yield f"line {node.lineno}: a union of dictionaries; take update"
        elif isinstance(node, ast.Attribute) and node.attr in NEWER_METHODS and name_of(node.value) != "os":
            yield f"line {node.lineno}: Python 3.8 has no method {node.attr}"


def problems(source: str) -> list[str]:
    tree = ast.parse(source)
    return list(too_new(evaluated(tree), generics(tree)))


@pytest.mark.parametrize(
    "source",
    [
        "Range = tuple[float, float]",
        "from collections.abc import Callable\nDraw = Callable[[], None]",
        "from collections.abc import Mapping\nclass Mode(Mapping[str, int]): ...",
        "Found = Path | None",
        "isinstance(value, int | float)",
        "name = name.removesuffix('.json')",
        "path.readlink()",
        "files |= {name: 1 for name in names}",
        "known = before | ({key: value} if value else {})",
        "def outer():\n    return list[int]()",
    ],
)
def test_a_slip_is_found(source: str) -> None:
    assert len(problems(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(x: list[int] | None = None) -> tuple[int, ...]: ...",
        "first: dict[str, int] = {}",
        "flags = re.MULTILINE | re.DOTALL",
        "os.readlink(path)",
        "both = {1} | others",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    Model = Module | None",
    ],
)
def test_what_python_3_8_can_run_is_left_alone(source: str) -> None:
    assert problems(source) == []


def test_nothing_newer_is_evaluated_in_the_source() -> None:
    found = {file: problems(file.read_text(encoding="utf-8")) for file in SOURCES}
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_no_annotation_is_evaluated() -> None:
    for file in SOURCES:
        source = file.read_text(encoding="utf-8")
        nodes = ast.walk(ast.parse(source))
        if any(getattr(node, "annotation", None) or getattr(node, "returns", None) for node in nodes):
            assert "from __future__ import annotations" in source, file


def test_typer_can_evaluate_the_options_of_each_command() -> None:
    for file in (ROOT / "lightning_powertrain" / "cli").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        subscripts = (node for node in ast.walk(tree) if isinstance(node, ast.Subscript))
        options = [node.slice for node in subscripts if name_of(node) == "Annotated"]
        nodes = (node for option in options for node in ast.walk(option))
        assert list(too_new(nodes, generics(tree))) == [], file


def test_no_newer_syntax_and_no_newer_library_is_used() -> None:
    pytest.importorskip("vermin", reason="vermin is missing (pip install vermin)")
    vermin = [sys.executable, "-c", "from vermin import main; main()", "--target=3.8-", "--violations", "--no-tips"]
    found = subprocess.run([*vermin, *map(str, SOURCES)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
