"""Callbacks on the import of a module."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from lightning_powertrain.running.imports import when_imported


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module that can be imported."""
    (tmp_path / "imported_late.py").write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "imported_late", raising=False)
    return "imported_late"


def test_a_module_is_told_once_it_has_run(late: str) -> None:
    finders, values = list(sys.meta_path), []
    when_imported(late, lambda module: values.append(module.VALUE))
    assert values == []
    module = import_module(late)
    assert values == [1]
    assert sys.meta_path == finders
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_two_may_wait_for_the_same_module(late: str) -> None:
    told: list[int] = []
    for number in range(3):
        undo = when_imported(late, lambda module, number=number: told.append(number))  # type: ignore[misc]
    undo()
    import_module(late)
    assert sorted(told) == [0, 1]


def test_a_module_that_is_there_is_told_at_once() -> None:
    told: list[ModuleType] = []
    when_imported("logging", told.append)
    assert told == [logging]


def test_an_error_of_ours_does_not_fail_the_import(late: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(module: ModuleType) -> None:
        raise ValueError("a mistake of ours")

    when_imported(late, fail)
    with caplog.at_level(logging.DEBUG, "lightning_powertrain"):
        assert import_module(late).VALUE == 1
    assert "watching the import of imported_late" in caplog.text


def test_a_module_that_is_not_there_stays_so() -> None:
    told: list[ModuleType] = []
    when_imported("no_such_module_anywhere", told.append)
    with pytest.raises(ModuleNotFoundError):
        import_module("no_such_module_anywhere")
    assert told == []
