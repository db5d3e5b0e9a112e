"""A program runs as Python itself would run it: compared with Python, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.running import find_program

SURROUNDINGS = """
import pickle, sys
class Mine: pass
names = {key: value for key, value in vars().items() if key not in ("names", "pickle", "sys", "Mine")}
print(sorted(names), __name__, __file__, __package__, __doc__, __cached__, type(__loader__).__name__, __builtins__)
print(__spec__ and (__spec__.name, __spec__.origin), sys.argv, sys.path[0], "torch" in sys.modules)
print(type(pickle.loads(pickle.dumps(Mine()))) is Mine, sys.modules["__main__"].Mine is Mine)
"""
FAILING = "def inner():\n    raise ValueError('the cause')\ntry:\n    inner()\nexcept ValueError:\n    {}['key']\n"
SPAWNING = """
import multiprocessing, sys
class Mine:
    def __init__(self, value): self.value = value
def work(queue, mine):
    queue.put(Mine(mine.value + 1))
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=work, args=(queue, Mine(1)))
    child.start()
    print(queue.get().value)
    child.join()
"""
HOOKED = "import sys\nsys.excepthook = lambda *about: print('hooked', about[1], about[2].tb_lineno)\n1 / 0\n"
THREADED = (
    "import atexit, threading, time\natexit.register(print, 'exit')\n"
    "def later():\n    time.sleep(0.2)\n    print('thread')\nthreading.Thread(target=later).start()\nprint('end')\n"
)


def both(folder: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """How a program ends under Python, and under this package."""
    commands = ([sys.executable, *words], [sys.executable, "-m", "lightning_powertrain.run", *words])
    plain, ours = (
        subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder) for command in commands
    )
    return plain, ours


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(SURROUNDINGS, id="surroundings"),
        pytest.param(FAILING, id="error"),
        pytest.param(
            "print('begin'\n",
            id="syntax error",
            marks=pytest.mark.skipif(sys.version_info < (3, 9), reason="Python 3.8 names another line for a file"),
        ),
        pytest.param("import sys\nsys.exit(3)", id="exit code"),
        pytest.param("import sys\nsys.exit('the reason')", id="exit with a message"),
        pytest.param("import os\nprint('begin', flush=True)\nos._exit(4)", id="exit at once"),
        pytest.param("raise KeyboardInterrupt", id="interrupted"),
        pytest.param("raise BrokenPipeError(32, 'Broken pipe')", id="an error that the command line knows"),
        pytest.param("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", id="terminated"),
        pytest.param(HOOKED, id="exception hook"),
        pytest.param(THREADED, id="threads and exit handlers"),
        pytest.param(SPAWNING, id="spawned processes"),
    ],
)
def test_a_script(tmp_path: Path, script: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "script.py").write_text(script, encoding="utf-8")
    plain, ours = both(tmp_path, "folder/script.py", "--option", "-m", "value")
    assert ours.returncode == plain.returncode
    assert [line for line in ours.stdout.splitlines() if "PowerTrain: no optimizer step" not in line] == (
        plain.stdout.splitlines()
    )
    assert ours.stderr == plain.stderr


@pytest.mark.parametrize("name", ["package", "package.train"])
def test_a_module(tmp_path: Path, name: str) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import sys\nprint(sys.argv)\n", encoding="utf-8")
    for file in ("__main__.py", "train.py"):
        (tmp_path / "package" / file).write_text(SURROUNDINGS, encoding="utf-8")
    plain, ours = both(tmp_path, "-m", name, "--option")
    assert ours.stdout.splitlines()[:-1] == plain.stdout.splitlines()
    assert ours.stderr == plain.stderr == ""


# What can be run.


def command(folder: Path, text: str) -> Path:
    """A file that can be executed, on the PATH of the test."""
    path = folder / "a-command"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@pytest.mark.parametrize(
    "start",
    [
        f"#!{sys.executable}\n",
        f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n",
        "#!/usr/bin/env python3\n",
    ],
)
def test_a_console_script_is_found_on_the_path(on_path: Path, start: str) -> None:
    path = command(on_path, f"{start}print(1)\n")
    assert find_program("a-command", is_module=False).name == str(path)


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("#!/bin/sh\n", "is none"),
        ("\x7fELF", "is none"),
        ("#!/elsewhere/bin/python\n", "so install lightning-powertrain there"),
    ],
)
def test_another_command_is_refused_in_words(on_path: Path, start: str, reason: str) -> None:
    command(on_path, f"{start}echo 1\n")
    with pytest.raises(ArgumentError, match=reason):
        find_program("a-command", is_module=False)


def test_a_command_that_is_nowhere_is_refused_in_words(on_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such command on the PATH"):
        find_program("no-such-command", is_module=False)


def test_a_script_precedes_a_command(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(on_path, "#!/bin/sh\n")
    monkeypatch.chdir(on_path)
    assert find_program("a-command", is_module=False).name == "a-command"
