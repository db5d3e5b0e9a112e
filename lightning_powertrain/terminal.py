"""Prints lines for people, to a terminal, a pipe or a file."""

from __future__ import annotations

from rich.console import Console


def print_line(text: str) -> None:
    """Print a line: a pipe or a file receives it whole, a terminal receives it wrapped between words."""
    console = Console(highlight=False)
    console.print(text, markup=False, soft_wrap=not console.is_terminal)
