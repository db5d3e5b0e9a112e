"""The command line as people type it on the board."""

from __future__ import annotations

import subprocess
import sys


def powertrain(*arguments: str, user: str = "root") -> subprocess.CompletedProcess[str]:
    """Runs ``powertrain`` as a user; its output is kept, and shown if the scenario fails."""
    command = ["runuser", "-u", user, "--", "powertrain", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd="/tmp")
    sys.stdout.write(done.stdout + done.stderr)
    return done
