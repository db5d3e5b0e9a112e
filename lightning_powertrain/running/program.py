"""Runs a script, a module or a command of Python in this process, as Python itself would."""

from __future__ import annotations

import builtins
import importlib.util
import io
import re
import shlex
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any

from lightning_powertrain.errors import ArgumentError

_FORMS = "a Python script, -m and a module, or a command that is a Python script, such as yolo"

_LAUNCHERS = (
    ("torchrun",),
    ("accelerate", "launch"),
    ("-m", "torch.distributed.run"),
    ("-m", "torch.distributed.launch"),
    ("-m", "accelerate.commands.launch"),
)


class NoProgramError(ArgumentError):
    """There is no such module, or it cannot be run; never raised by a program itself."""


@dataclass(frozen=True)
class Program:
    """A Python program.

    Args:
        name: Path of a script, or name of a module.
        is_module: Whether it is the name of a module.
    """

    name: str
    is_module: bool = False

    def load(self, arguments: Sequence[str]) -> CodeType:
        """Put an empty ``__main__`` in place, and compile the program.

        Args:
            arguments: What the program finds in ``sys.argv`` after its name.

        Raises:
            NoProgramError: If there is no such module, or it cannot be run.
        """
        main = ModuleType("__main__")
        vars(main).update(__annotations__={}, __builtins__=builtins)
        sys.modules["__main__"] = main  # And so it remains: threads and exit handlers may still use it.
        if "__mp_main__" in sys.modules:  # How what spawned processes send names it.
            sys.modules["__mp_main__"] = main
        sys.argv = [self.name, *arguments]
        with _tracebacks_of_the_program():
            return self._module(main) if self.is_module else self._script(main)

    def execute(self, code: CodeType) -> None:
        """Run the program to its end or to an exception."""
        with _tracebacks_of_the_program():
            exec(code, vars(sys.modules["__main__"]))
        _join_threads()

    def _script(self, main: ModuleType) -> CodeType:
        path = Path(self.name)
        if path.is_dir():
            _set_first_path(self.name)
            return _prepared(main, PathFinder.find_spec("__main__", [self.name]), self.name)
        # Python makes the path of a script absolute from 3.9 on.
        file = str(path.absolute()) if sys.version_info >= (3, 9) else self.name
        _set_first_path(str(path.resolve().parent))
        vars(main).update(__file__=file, __spec__=None, __cached__=None)
        vars(main).update(__loader__=SourceFileLoader("__main__", file))
        with io.open_code(file) as source:
            return compile(source.read(), file, "exec", dont_inherit=True)

    def _module(self, main: ModuleType) -> CodeType:
        sys.argv[0] = "-m"  # As Python has it while it looks for the module.
        _set_first_path(str(Path.cwd()))
        try:
            spec = importlib.util.find_spec(self.name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{self.name}.__main__")
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.name}.".startswith(f"{error.name}."):
                raise  # A package of the program lacks another one.
            spec = None
        code = _prepared(main, spec, self.name)
        sys.argv[0] = vars(main)["__file__"]
        return code


def without_python(words: Sequence[str]) -> tuple[list[str], bool]:
    """What a call such as ``python train.py`` runs.

    Args:
        words: Of a command; at least one.

    Returns:
        The program and its arguments, and whether the program is a module. This is the command itself if it does not
        begin with a Python.

    Raises:
        ArgumentError: If it begins with another Python than this one, or with options of Python's own.
    """
    python, *rest = words
    command = shutil.which(python)
    if command is None or not re.fullmatch(r"python(3(\.\d+)?)?", Path(python).name):
        return list(words), False
    if Path(command).resolve() != Path(sys.executable).resolve():
        what = f"this Python, {sys.executable}; for another one install lightning-powertrain there, and call"
        raise ArgumentError.of("SCRIPT", python, f"{what} {command} -m lightning_powertrain.run")
    is_module = rest[:1] == ["-m"]
    program = rest[1:] if is_module else rest
    if not program or program[0].startswith("-"):
        what = "python and a script, or python -m and a module; with other options of Python's own call"
        raise ArgumentError.of("SCRIPT", " ".join(words), f"{what} python OPTIONS -m lightning_powertrain.run")
    return program, is_module


def launcher_advice(words: Sequence[str], options: Sequence[str]) -> str | None:
    """The command that tunes where a launcher starts the training; None if these words start none.

    Args:
        words: The program and its arguments.
        options: Options of this package, which go into the command.

    >>> launcher_advice(["torchrun", "--nproc-per-node=2", "train.py"], ["--budget", "30 W"])
    "torchrun --nproc-per-node=2 -m lightning_powertrain.run --budget '30 W' train.py"
    >>> launcher_advice(["train.py", "torchrun"], [])
    """
    named = [Path(words[0]).name, *words[1:]]
    launcher = next((each for each in _LAUNCHERS if tuple(named[: len(each)]) == each), None)
    if launcher is None:
        return None
    start = ["python", *launcher] if launcher[0] == "-m" else list(launcher)
    rest = list(words[len(launcher) :])
    at = next(
        (place for place, word in enumerate(rest) if word in ("-m", "--module") or word.endswith(".py")), len(rest)
    )
    ours = ["-m", "lightning_powertrain.run", *options]
    return shlex.join([*start, *rest[:at], *ours, *(rest[at:] or ["train.py"])])


def find_program(name: str, *, is_module: bool) -> Program:
    """The program called ``name``.

    Args:
        name: Path of a script, name of a module, or a command on the ``PATH`` that is a Python script.
        is_module: Whether it is the name of a module.

    Raises:
        ArgumentError: If there is none.
    """
    if is_module:
        return Program(name, is_module=True)
    if Path(name).is_file():
        return Program(name)
    command = shutil.which(name)
    if command is None:
        if Path(name, "__main__.py").is_file():
            return Program(name)
        raise ArgumentError.of("SCRIPT", name, f"{_FORMS}; there is no such file, and no such command on the PATH")
    python = _interpreter(Path(command))
    if python is None:
        raise ArgumentError.of("SCRIPT", name, f"{_FORMS}; {command} is none")
    here = Path(sys.executable).parent
    if python.is_absolute() and python.parent != here:
        # Its packages are those of another environment.
        what = f"a command of the Python in {here}; {command} belongs to the one in {python.parent}"
        raise ArgumentError.of("SCRIPT", name, f"{what}, so install lightning-powertrain there")
    return Program(command)


def _interpreter(command: Path) -> Path | None:
    """The Python that a command starts with; None if it is no Python script."""
    with command.open("rb") as file:
        first, second = file.readline(500).strip(), file.readline(500).strip()
    if first == b"#!/bin/sh" and second.startswith(b"'''exec' "):  # What pip writes where the path is long.
        first = b"#!" + second[len(b"'''exec' ") :].strip(b'"').split(b'"')[0].split(b" ")[0]
    words = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = words[1:]
    return Path(words[0]) if words and Path(words[0]).name.startswith(("python", "pypy")) else None


def _prepared(main: ModuleType, spec: Any, name: str) -> CodeType:
    """The code of a module that is to run as ``__main__``, which gets its attributes."""
    code = spec.loader.get_code(spec.name) if spec is not None and spec.loader is not None else None
    if code is None:
        raise NoProgramError.of("MODULE", name, "a module that can be run, or a package with a __main__.py")
    vars(main).update(__file__=spec.origin, __spec__=spec, __cached__=spec.cached)
    vars(main).update(__loader__=spec.loader, __package__=spec.parent)
    return code  # type: ignore[no-any-return]


def _set_first_path(folder: str) -> None:
    """Python put there where this package was started from."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = folder


def _join_threads() -> None:
    """As Python does at its end: a thread may still be training."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


@contextmanager
def _tracebacks_of_the_program() -> Iterator[None]:
    """Have Python show an uncaught error as if it had started the program itself."""
    try:
        yield
    except BaseException as error:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_frame.f_globals is globals():
            traceback = traceback.tb_next
        sys.excepthook = partial(_show, sys.excepthook, error, traceback)
        raise


def _show(
    show: Callable[..., object],
    error: BaseException,
    shortened: TracebackType | None,
    kind: type[BaseException],
    value: BaseException,
    traceback: TracebackType | None,
) -> None:
    """An exception hook: ``error`` has a shortened traceback."""
    if value is error:
        show(kind, value.with_traceback(shortened), shortened)
    else:
        show(kind, value, traceback)
