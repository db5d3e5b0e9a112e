"""One run of a script: prepares this process, runs the script, restores the board."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from lightning_powertrain.running.options import FOR_TRAINERS, RunOptions
from lightning_powertrain.running.program import Program
from lightning_powertrain.running.script_tuning import ScriptTuning

# Set by torchrun and accelerate, by Open MPI, by Slurm.
_LOCAL_RANKS = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")


def run_tuned(program: Program, arguments: Sequence[str], options: RunOptions) -> None:
    """Run a program in this process, and tune the power mode on the way. Each node has one process that tunes.

    Args:
        program: What to run.
        arguments: Its arguments.
        options: How to tune.

    Raises:
        NoProgramError: If the program is a module that cannot be run.
        BaseException: Whatever the program raises.
    """
    os.environ[FOR_TRAINERS] = options.for_trainers()  # Also for the processes that a Trainer starts.
    tuning = ScriptTuning(options, program, arguments)
    is_complete = False
    try:
        code = program.load(arguments)
        if drives_board(os.environ):
            tuning.start()
        program.execute(code)
        is_complete = True
    except SystemExit as ended:
        is_complete = not ended.code
        raise
    finally:
        tuning.stop(is_complete=is_complete)


def drives_board(environ: Mapping[str, str]) -> bool:
    """Whether this process is the first one of its node.

    >>> drives_board({}), drives_board({"LOCAL_RANK": "0"}), drives_board({"LOCAL_RANK": "1"})
    (True, True, False)
    """
    return next((environ[name] for name in _LOCAL_RANKS if name in environ), "0") == "0"
