"""How a line is printed, whatever the standard output is."""

from __future__ import annotations

from rich.console import Console


def say(text: str) -> None:
    """Print a line: whole in a pipe or a file, broken between words in a terminal, which would break inside them."""
    console = Console(highlight=False)
    console.print(text, markup=False, soft_wrap=not console.is_terminal)
