"""A machine where sudo and setup-helper may do what they do: real, in mounts of its own where they can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

# What is written to /etc, /run and /usr stays in a file system in memory that nothing else on this computer sees.
_PRIVATE = """
set -e
mount -t tmpfs tmpfs "$1"
for place in etc run usr; do
  mkdir -p "$1/$place/upper" "$1/$place/work"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$1/$place/upper,workdir=$1/$place/work" "/$place"
done
echo ready
exec cat
"""
_NEEDED = ("sudo", "visudo", "useradd", "runuser", "unshare", "nsenter")
_SEARCH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
USERS = ("ptest-alice", "ptest-bob", "ptest-mallory")


def why_unavailable() -> str:
    """Why this cannot be tested here; empty if it can."""
    if os.geteuid() != 0:
        return "installing the helper needs root"
    missing = [name for name in _NEEDED if shutil.which(name, path=_SEARCH) is None]
    return f"{', '.join(missing)} missing" if missing else ""


class Machine:
    """Runs commands as root and as throwaway users.

    Args:
        enter: What stands before a command to run it on this machine.
    """

    def __init__(self, enter: Sequence[str] = ()) -> None:
        self._enter = tuple(enter)

    def command(self, *command: str, user: str = "root") -> list[str]:
        """The whole command that runs another one on this machine."""
        become = () if user == "root" else ("runuser", "-u", user, "--")
        return [*self._enter, *become, *command]

    def run(self, *command: str, user: str = "root", text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command; ``text`` is its input."""
        environment = {"PATH": _SEARCH, "HOME": "/", "LC_ALL": "C"}
        whole = self.command(*command, user=user)
        return subprocess.run(whole, input=text, capture_output=True, text=True, check=False, env=environment, cwd="/")

    def shell(
        self, script: str, *arguments: str, user: str = "root", text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return self.run("bash", "-c", script, "bash", *arguments, user=user, text=text)

    def setup_helper(self, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
        """``powertrain setup-helper`` as root, after some other shell commands."""
        return self.shell(f'{before}\nexec "$@"', *self.setup_command(*arguments))

    @staticmethod
    def setup_command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "lightning_powertrain.cli", "setup-helper", *arguments]


@contextmanager
def machine() -> Iterator[tuple[Machine, bool]]:
    """A machine with three throwaway users, and whether it is a private one."""
    with ExitStack() as stack:
        enter = stack.enter_context(_private_mounts())
        found = Machine(enter)
        for user in USERS:
            made = found.run("useradd", "--no-create-home", "--no-log-init", "--shell", "/bin/sh", user)
            assert made.returncode == 0, made.stderr
            if not enter:
                stack.callback(found.run, "userdel", user)
        yield found, bool(enter)


@contextmanager
def _private_mounts() -> Iterator[Sequence[str]]:
    """How to enter mounts of our own; nothing where they cannot be had."""
    folder = tempfile.mkdtemp(prefix="private-mounts-")
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _PRIVATE, "sh", folder]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        ready = holder.stdout.readline() == b"ready\n"
        try:
            yield ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--"] if ready else []
        finally:
            holder.stdin.close()
    Path(folder).rmdir()
