"""Launchers train in processes of their own, each of which has to be run by this package."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

_LAUNCHERS = (
    ("torchrun",),
    ("accelerate", "launch"),
    ("-m", "torch.distributed.run"),
    ("-m", "torch.distributed.launch"),
    ("-m", "accelerate.commands.launch"),
)


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
