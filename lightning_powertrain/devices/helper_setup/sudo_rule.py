"""The sudoers rule: it names one executable that only root can change, without arguments, and nothing else.

A rule must never name an interpreter. sudo finds the command by its inode but hands on the ``argv[0]`` that was typed,
and Python looks for its standard library beside that: whoever may start a Python as root may run any code as root.
A script is started by the kernel, which takes the interpreter from the script's first line.
"""

from __future__ import annotations

import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lightning_powertrain.devices.helper_setup.root_only import write_file
from lightning_powertrain.errors import DeviceError

SUDOERS = Path("/etc/sudoers.d/lightning-powertrain")
UNSAFE = re.compile(r"^.*python\S*\s+-ISB\s+\S*/roothelper\b.*$", re.MULTILINE)
"""The rule of an earlier version, in a file or as ``sudo -l`` shows it."""

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_LINE = re.compile(rf"^({_USER.pattern}) ALL=\(root\) NOPASSWD: ", re.MULTILINE)
_SEARCH = "/usr/sbin:/usr/bin:/sbin:/bin"


def is_ordinary(user: str) -> bool:
    """Whether there is a user of this name, who is not root, and whose name means nothing else to sudo."""
    try:
        return _USER.fullmatch(user) is not None and pwd.getpwnam(user).pw_uid != 0
    except KeyError:
        return False


def users_of(sudoers: Path) -> list[str]:
    """The users that an installed rule names, and who still exist."""
    try:
        return list(filter(is_ordinary, _LINE.findall(sudoers.read_text(encoding="utf-8"))))
    except (FileNotFoundError, PermissionError):  # Without root, --print cannot know them.
        return []


def rule(users: Iterable[str], launcher: Path) -> str:
    """The text of the rule.

    >>> print(rule(["alice"], Path("/usr/local/libexec/helper")), end="")
    # Written by `powertrain setup-helper`; --remove takes it away.
    alice ALL=(root) NOPASSWD: /usr/local/libexec/helper ""
    """
    lines = [f'{user} ALL=(root) NOPASSWD: {launcher} ""\n' for user in users]
    return "".join(["# Written by `powertrain setup-helper`; --remove takes it away.\n", *lines])


def check_with_visudo(text: str, draft: Path) -> None:
    """Leave the rule in ``draft``, whose name sudo ignores, if visudo accepts it.

    Raises:
        DeviceError: If it does not, or is missing.
    """
    visudo = shutil.which("visudo", path=_SEARCH)
    if visudo is None:
        raise DeviceError(
            "sudo is not installed here: `apt-get install sudo`. As root, no helper needs to be installed"
        )
    write_file(draft, text, 0o440)
    checked = subprocess.run([visudo, "-c", "-f", str(draft)], check=False, capture_output=True, text=True)
    if checked.returncode != 0:
        draft.unlink()
        raise DeviceError(f"visudo refuses the sudoers rule: {(checked.stderr or checked.stdout).strip()}")
