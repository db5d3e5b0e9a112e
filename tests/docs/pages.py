"""The pages, and the code on them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile, groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"])

# What stands before a block that cannot be run, with a reason that is for readers of the source.
_NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->\n+\Z")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"[A-Z]{3,}")
_INLINE = re.compile(r"`(?:sudo )?powertrain ([a-z-]+)")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Args:
        language: As the fence has it; may be empty.
        code: Its text.
        line: Line of the page on which its text begins.
        is_run: Whether it can be run.
    """

    language: str
    code: str
    line: int
    is_run: bool

    @property
    def commands(self) -> list[list[str]]:
        """The words of each call of ``powertrain``, without that one."""
        if self.language not in ("", "bash"):
            return []
        lines = self.code.replace("\\\n", " ").replace('"$(which powertrain)"', "powertrain").splitlines()
        return [call for line in lines if "powertrain" in line for call in _calls(line)]


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page, in order."""
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start(2)) + 1
        yield Block(fence[1], fence[2], line, _NOT_RUN.search(text[: fence.start()]) is None)


def is_complete(words: list[str]) -> bool:
    """Whether nothing in a call, such as RUN, stands for what a reader has to fill in."""
    return not any(_PLACEHOLDER.search(word) for word in words)


def named_commands(text: str) -> set[str]:
    """Commands of ``powertrain`` that the text names between two backticks."""
    return set(_INLINE.findall(text))


def _calls(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for is_operator, group in groupby(lexer, lambda word: set(word) <= set("();<>|&")):
        words = list(dropwhile(lambda word: word == "sudo" or "=" in word, group))
        if not is_operator and words[:1] == ["powertrain"]:
            yield words[1:]
