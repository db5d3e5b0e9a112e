"""The container file, as far as it can be checked where it cannot be built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "containers" / "jetpack6.Dockerfile").read_text(encoding="utf-8")
SHOWN_FLAGS = re.search(r"docker run (.*?)IMAGE", (ROOT / "docs" / "containers.md").read_text("utf-8"), re.DOTALL)


def instructions() -> list[tuple[str, str]]:
    """Each instruction and what follows it, continued lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def test_base_is_an_argument_with_a_default() -> None:
    assert [word for word, _ in instructions()][:2] == ["ARG", "FROM"]
    assert {word for word, _ in instructions()} <= {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN"}
    assert instructions()[1] == ("FROM", "${BASE}")
    assert re.fullmatch(r"BASE=[\w./-]+:[\w.-]+", instructions()[0][1])


def test_what_is_copied_is_all_that_a_build_needs() -> None:
    copied = {source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    assert copied == {"pyproject.toml", "README.md", "LICENSE", "callbacks", "lightning_powertrain"}


@pytest.mark.parametrize("script", [rest for word, rest in instructions() if word == "RUN"])
def test_shell_and_python_of_a_step_parse(script: str) -> None:
    subprocess.run(["sh", "-n", "-c", script], check=True)
    for code in re.findall(r'python3 -c "(.*?)"', script):
        compile(code, "RUN", "exec")


def test_torch_is_held_by_a_constraint() -> None:
    (installing,) = (rest for word, rest in instructions() if word == "RUN" and "pip install" in rest)
    assert installing.index("'torch'") < installing.index("> kept.txt") < installing.index("pip install -c kept.txt")


def test_it_says_that_it_is_untried_and_how_to_run_it() -> None:
    assert "NOT BUILT YET" in TEXT
    assert SHOWN_FLAGS is not None
    for flag in re.findall(r"(?:--runtime nvidia|--privileged|-v \S+)", SHOWN_FLAGS[0]):
        assert flag in TEXT
