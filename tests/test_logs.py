"""Each warning of ours points to a place in the documentation, and the troubleshooting page explains it."""

from __future__ import annotations

import ast
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import tomli as tomllib

from lightning_powertrain import errors
from lightning_powertrain.logs import DOCUMENTATION, page, warn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
HELP = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = sorted([*(ROOT / "lightning_powertrain").rglob("*.py"), *(ROOT / "callbacks").glob("*.py")])


def constant_parts(node: ast.expr) -> list[str]:
    """What always stands in a text: without the values of an f-string or of ``%s``."""
    if isinstance(node, ast.JoinedStr):
        texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
    else:
        texts = [node.value] if isinstance(node, ast.Constant) else []
    return [part for text in texts if isinstance(text, str) for part in re.split(r"%[.\d]*[srdf]", text)]


@lru_cache(maxsize=None)
def calls_by_name() -> dict[str, list[tuple[Path, ast.FunctionDef, ast.Call]]]:
    """Calls of functions by their bare names, and the function that each stands in."""
    found = defaultdict(list)
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                        found[node.func.id].append((path, function, node))
    return found


def message_of(function: ast.FunctionDef, text: ast.expr) -> ast.expr:
    """The message itself where it has a name of its own in the function: what that name was given last."""
    given = [
        node
        for node in ast.walk(function)
        if isinstance(text, ast.Name)
        and isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == text.id
        and node.lineno < text.lineno
    ]
    return max(given, key=lambda node: node.lineno).value if given else text


WARNINGS = [(path, message_of(function, call.args[0]), call) for path, function, call in calls_by_name()["warn"]]


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> list[str]:
    named = [each.value for _, _, call in WARNINGS for each in call.keywords if each.arg == "see"]
    return sorted({str(node.value) for node in named if isinstance(node, ast.Constant)})


@pytest.mark.parametrize("target", targets())
def test_every_pointer_leads_somewhere(target: str) -> None:
    file, _, anchor = target.partition("#")
    assert (DOCS / file).is_file()
    assert not anchor or anchor in anchors(DOCS / file)


def test_the_address_is_that_of_the_package() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert about["project"]["urls"]["Documentation"] == DOCUMENTATION
    assert page("cache.md") == f"{DOCUMENTATION}cache.html"


def test_each_message_is_a_text_that_can_be_checked() -> None:
    unseen = {path.name for path, message, _ in WARNINGS if not constant_parts(message)}
    assert not unseen, "the message has to stand in the function that warns"


def test_nobody_warns_past_the_one_place_that_points() -> None:
    assert len(WARNINGS) > 20
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert path.name == "logs.py" or "_log.warning(" not in text, path
        assert "warnings.warn(" not in text, path


def errors_raised() -> Iterator[tuple[str, ast.expr]]:
    """Errors that a job may meet; those of bad arguments and damaged files explain themselves, by class."""
    for kind in ("PowerTrainError", "DeviceError", "DeviceNotFoundError", "BudgetError"):
        for path, function, call in calls_by_name()[kind]:
            if not {"cli", "evaluation", "testing", "roothelper"} & set(path.relative_to(ROOT).parts):
                yield f"{path.stem}-{call.lineno}", message_of(function, call.args[0])


def warnings_said() -> Iterator[tuple[str, ast.expr]]:
    for path, text, call in WARNINGS:
        yield f"{path.stem}-{call.lineno}", text


def findings() -> Iterator[tuple[str, ast.expr]]:
    """What ``powertrain doctor`` finds amiss."""
    for path, function, call in calls_by_name()["Finding"]:
        status = call.args[1]
        if isinstance(status, ast.Constant) and status.value in ("warn", "fail") and len(call.args) > 2:
            text = call.args[2]
            if not isinstance(text, ast.Starred):
                yield f"{path.stem}-{call.lineno}", message_of(function, text)


SAID = [*warnings_said(), *errors_raised(), *findings()]


@pytest.mark.parametrize("text", [text for _, text in SAID], ids=[name for name, _ in SAID])
def test_every_message_of_a_job_is_explained(text: ast.expr) -> None:
    """The page quotes the first words of the message that carry a meaning."""
    parts = [_plain(part).strip(" :.;,()'") for part in constant_parts(text)]
    first = next((part for part in parts if part.count(" ") >= 2), "")
    assert " ".join(first.split()[:6]) in _plain(HELP)


def test_every_class_of_errors_is_explained() -> None:
    ours = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.PowerTrainError)
    ]
    assert [each.__name__ for each in ours if f"| `{each.__name__}`" not in HELP] == []


def test_a_warning_says_who_speaks_and_where_to_read_on(caplog: pytest.LogCaptureFixture) -> None:
    warn("%s is missing", "a sensor", see="safety.md#by-hand")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("lightning_powertrain", logging.WARNING)
    assert record.getMessage() == f"PowerTrain: a sensor is missing. See {page('safety.md#by-hand')}"
    assert record.filename == Path(__file__).name


def test_the_same_warning_can_be_given_once(caplog: pytest.LogCaptureFixture) -> None:
    for sensor in ("one", "one", "two"):
        warn("%s is missing", sensor, see="safety.md#by-hand", once=True)
    assert [record.getMessage().partition(".")[0] for record in caplog.records] == [
        "PowerTrain: one is missing",
        "PowerTrain: two is missing",
    ]


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "")).lower()
