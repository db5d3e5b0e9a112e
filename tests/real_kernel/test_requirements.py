"""The emulated board has what the library depends on."""

from __future__ import annotations

import re
from pathlib import Path

import tomli

ROOT = Path(__file__).parents[2]


def test_the_board_has_every_dependency_of_the_library() -> None:
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {
        re.split("[^A-Za-z0-9_-]", each)[0].replace("_", "-")
        for each in project["dependencies"]
        if "python_version <" not in each
    }
    pinned = (Path(__file__).parent / "guest-requirements.txt").read_text(encoding="utf-8")
    assert needed <= set(re.findall(r"^([\w-]+)==", pinned, re.MULTILINE))
