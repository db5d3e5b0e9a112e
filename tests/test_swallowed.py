"""Errors that go no further keep their traceback in the log at debug level, and only there."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_powertrain.logs import log_swallowed, swallowed, warn

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for path in sorted([*(ROOT / "lightning_powertrain").rglob("*.py"), *(ROOT / "callbacks").glob("*.py")])
    if "roothelper" not in path.parts  # It has no logging and uses only the standard library.
]
BROAD = {"BaseException", "Exception", "PowerTrainError", "DeviceError", "FileFormatError"}
# Where the error itself is passed on outside the handler, to a function that logs it.
PASSES_ON = {"tuner_factory.py:_distributed_tuner"}
# Functions that take an error and log it, directly or through one another; the test checks that they do.
TAKE_ERRORS = {"give_up", "record_failure", "fail", "_fail", "minibatch_failed", "_warn"}

SWALLOWING = """
def f():
    try:
        g()
    except Exception:
        pass
"""


def name_of(node: ast.expr | None) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def names_in(kinds: ast.expr | None) -> set[str]:
    """Names of the classes in an ``except`` clause; one without classes catches everything."""
    if kinds is None:
        return {"BaseException"}
    return {name_of(kind) for kind in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])}


def called_in(node: ast.AST) -> set[str]:
    return {name_of(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}


def logs_traceback(node: ast.AST) -> bool:
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    return any(keyword.arg == "exc_info" for call in calls for keyword in call.keywords)


def loggers(trees: list[ast.Module]) -> set[str]:
    """Names of the functions that log the error they are given; a name counts if each function of that name does."""
    bodies: dict[str, list[set[str]]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                bodies.setdefault(node.name, []).append(called_in(node))
    found = {"warn", "log_swallowed"}
    while True:
        more = {name for name, calls in bodies.items() if all(each & found for each in calls)} - found
        if not more & TAKE_ERRORS:
            return found
        found |= more & TAKE_ERRORS


def silent(tree: ast.Module, logging_names: set[str]) -> Iterator[tuple[str, int]]:
    """Function and line of each place that drops an error without a trace."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and names_in(node.type) & BROAD:
                raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
                if not (raises or logs_traceback(node) or called_in(node) & logging_names):
                    yield function.name, node.lineno
            suppressed = node.args if isinstance(node, ast.Call) and name_of(node.func) == "suppress" else []
            yield from ((function.name, kind.lineno) for kind in suppressed if name_of(kind) in BROAD)


def test_no_error_is_dropped_without_a_trace() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    names = loggers(list(trees.values()))
    assert names >= TAKE_ERRORS
    found = {f"{path.name}:{function}": line for path, tree in trees.items() for function, line in silent(tree, names)}
    assert {place: line for place, line in found.items() if place not in PASSES_ON} == {}
    assert set(found) >= PASSES_ON


@pytest.mark.parametrize(
    ("source", "is_silent"),
    [
        (SWALLOWING, True),
        (SWALLOWING.replace(" Exception", ""), True),
        (SWALLOWING.replace("Exception", "(OSError, errors.DeviceError)"), True),
        (SWALLOWING.replace("Exception", "FileNotFoundError"), False),
        (SWALLOWING.replace("pass", "raise"), False),
        (SWALLOWING.replace("pass", "warn('%s', 1, see='x.md')"), False),
        (SWALLOWING.replace("pass", "_log.debug('x', exc_info=True)"), False),
        (SWALLOWING.replace("pass", "_log.debug('x')"), True),
        ("def f():\n    with contextlib.suppress(Exception):\n        g()", True),
        ("def f():\n    with suppress(KeyError):\n        g()", False),
    ],
)
def test_the_check_finds_what_it_should(source: str, is_silent: bool) -> None:
    assert bool(list(silent(ast.parse(source), {"warn"}))) == is_silent


def failing() -> None:
    raise ValueError("the cause")


def tracebacks(records: list[logging.LogRecord]) -> list[tuple[int, str]]:
    """Level and traceback of each record that has one."""
    return [(record.levelno, record.exc_text or "") for record in records if record.exc_info]


def test_a_warning_logs_the_traceback_of_the_error_that_is_being_handled(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"):
        try:
            failing()
        except ValueError:
            warn("a thing failed", see="safety.md")
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.DEBUG]
    ((level, traceback),) = tracebacks(caplog.records)
    assert level == logging.DEBUG
    assert "in failing" in traceback
    assert {record.filename for record in caplog.records} == {Path(__file__).name}


def test_a_warning_logs_the_traceback_of_an_error_among_its_values(caplog: pytest.LogCaptureFixture) -> None:
    try:
        failing()
    except ValueError as error:
        kept = error
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"):
        warn("a thing failed: %s", kept, see="safety.md")
    assert "in failing" in tracebacks(caplog.records)[0][1]


def test_a_warning_without_an_error_logs_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"):
        warn("a thing is odd", see="safety.md")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_each_traceback_of_a_warning_given_once_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"):
        for _ in range(2):
            try:
                failing()
            except ValueError as error:
                warn("swallowed twice: %s", error, see="safety.md", once=True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.DEBUG, logging.DEBUG]


def test_the_guard_logs_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"), swallowed("closing the device"):
        failing()
    (record,) = caplog.records
    assert record.getMessage() == "PowerTrain: closing the device failed with the error below."
    ((level, traceback),) = tracebacks(caplog.records)
    assert level == logging.DEBUG
    assert "in failing" in traceback


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_the_guard_lets_a_request_to_end_pass(error: BaseException) -> None:
    with pytest.raises(type(error)), swallowed("closing the device"):
        raise error


def test_the_guard_lets_other_kinds_pass() -> None:
    with pytest.raises(ValueError, match="the cause"), swallowed("closing the device", OSError):
        failing()


def test_no_traceback_is_logged_at_the_default_level(caplog: pytest.LogCaptureFixture) -> None:
    try:
        failing()
    except ValueError as error:
        warn("a thing failed: %s", error, see="safety.md")
        log_swallowed("closing the device", error)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert tracebacks(caplog.records) == []


def test_a_user_who_sets_no_logging_up_sees_one_line() -> None:
    program = (
        "from lightning_powertrain.logs import swallowed, warn\n"
        "with swallowed('closing the device'):\n    1 / 0\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    warn('it failed: %s', error, see='safety.md')\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout == ""
    assert len(shown.stderr.splitlines()) == 1
    assert "division by zero" in shown.stderr
