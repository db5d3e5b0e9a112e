"""The check that every test goes through sees what it has to see."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from leftovers import left_since, running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leftovers._PATIENCE_S", 0.1)


def test_a_thread_is_seen_until_it_ends(impatient: None) -> None:
    before, done = running(), threading.Event()
    thread = threading.Thread(target=done.wait, name="sampler", daemon=True)
    thread.start()
    assert left_since(before) == ["thread sampler (Thread)"]
    done.set()
    thread.join()
    assert left_since(before) == []


def test_a_process_is_seen_until_it_has_ended_and_was_waited_for(impatient: None) -> None:
    before = running()
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        (left,) = left_since(before)
        assert f"process {process.pid}" in left
    assert left_since(before) == []


def test_what_ends_by_itself_is_given_time() -> None:
    before = running()
    thread = threading.Timer(0.2, lambda: None)
    thread.start()
    assert left_since(before) == []


def test_what_is_there_for_all_tests_may_stay(impatient: None) -> None:
    command = [sys.executable, "-c", "input()", "multiprocessing.resource_tracker"]
    before = running()
    with subprocess.Popen(command, stdin=subprocess.PIPE):
        assert left_since(before) == []
