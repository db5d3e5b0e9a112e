"""What a check of a diagnosis results in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "warn", "fail"]
"""``note``: worth knowing; ``warn``: works, with less; ``fail``: tuning cannot work."""

SERVICE_FLAG = "-v /run/powertrain:/run/powertrain:ro"
DEBUGFS_FLAG = "-v /sys/kernel/debug:/sys/kernel/debug"
STATE_FLAG = "-v /run/lightning-powertrain:/run/lightning-powertrain"
RELEASE_FLAG = "-v /etc/nv_tegra_release:/etc/nv_tegra_release:ro"
NVPMODEL_FLAGS = "-v /etc/nvpmodel.conf:/etc/nvpmodel.conf:ro -v /var/lib/nvpmodel:/var/lib/nvpmodel:ro"
CONTAINER_FLAGS = f"--runtime nvidia {SERVICE_FLAG} {RELEASE_FLAG}"
PRIVILEGED_FLAGS = f"--runtime nvidia --privileged {DEBUGFS_FLAG} {RELEASE_FLAG} {STATE_FLAG}"
"""Without the service: root of the container sets the board itself."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        check: What was looked at.
        status: How it stands.
        text: What was found.
        fix: What to type to mend it; empty where nothing needs to, or nothing can be, mended.
    """

    check: str
    status: Status
    text: str
    fix: str = ""


def docker_run(flags: str) -> str:
    """How to start a container again with more flags.

    >>> docker_run("--privileged")
    'docker run --privileged ... IMAGE'
    """
    return f"docker run {flags} ... IMAGE"
