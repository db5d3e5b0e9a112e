"""Runs scripts in processes forked from one that has imported Lightning: each import of it takes seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "pytorch_lightning", "lightning.pytorch", "lightning_powertrain.callbacks"])


def run_script(
    script: Path, *arguments: str, folder: Path, environ: Mapping[str, str] = os.environ, timeout_s: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end.

    Args:
        script: Its path.
        arguments: Its arguments.
        folder: The folder in which it runs; what it prints is kept there too.
        environ: All of its environment variables.
        timeout_s: It is killed if it runs for longer.
    """
    command, outputs = [str(script), *arguments], [folder / "stdout.txt", folder / "stderr.txt"]
    process = CONTEXT.Process(target=_run, args=(command, folder, dict(environ), outputs))
    process.start()
    process.join(timeout_s)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(command, timeout_s)
    printed = [path.read_text(encoding="utf-8") for path in outputs]
    for path in outputs:
        path.unlink()
    return subprocess.CompletedProcess(command, process.exitcode, *printed)


def _run(command: list[str], folder: Path, environ: dict[str, str], outputs: list[Path]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for descriptor, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # Processes of multiprocessing end without them.
