"""What users of typer programs expect of every one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from lightning_powertrain.cli import app

RUN = [sys.executable, "-c", "from lightning_powertrain.cli import main; main()"]


def test_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"powertrain {version('lightning-powertrain')}\n")


@pytest.mark.parametrize(("typed", "offered"), [("rep", {"report"}), ("re", {"reference", "report", "restore"})])
def test_the_shell_completes_commands(typed: str, offered: set[str]) -> None:
    about = {"_POWERTRAIN_COMPLETE": "complete_bash", "COMP_WORDS": f"powertrain {typed}", "COMP_CWORD": "1"}
    done = subprocess.run(RUN, capture_output=True, text=True, check=False, env={**os.environ, **about})
    assert set(done.stdout.split()) == offered, done.stderr


def test_completion_can_be_installed() -> None:
    done = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"})
    assert "--install-completion" in done.stdout
