"""Runs any training script, and tunes its power mode on the way: see :mod:`lightning_powertrain.cli.run`.

Nothing here imports torch before the script does.
"""

from lightning_powertrain.running.job import run_tuned
from lightning_powertrain.running.options import RunOptions
from lightning_powertrain.running.program import (
    NoProgramError,
    Program,
    find_program,
    launcher_advice,
    without_python,
)

__all__ = ["NoProgramError", "Program", "RunOptions", "find_program", "launcher_advice", "run_tuned", "without_python"]
