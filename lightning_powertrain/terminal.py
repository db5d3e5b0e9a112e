"""Prints lines for people, to a terminal, a pipe or a file."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

from rich.console import Console

_NO_BREAK = "\N{NO-BREAK SPACE}"
_INSIDE_FIGURE = re.compile(r"(?<=\d) (?=(?:%|ms|s|h|k?W|k?Wh|k?J|MHz)(?!\w))")


def print_line(text: str) -> None:
    """Print a line: a pipe or a file receives it whole, a terminal receives it wrapped between words."""
    console = Console(highlight=False)
    shown = wrapped(text, console.width) if console.is_terminal else text
    console.print(shown, markup=False, soft_wrap=True)


def print_amid(text: str, *, may_follow_bar: bool = False) -> None:
    """Print a line amid the output of a program, which may have left the cursor in the middle of a line.

    Progress bars of tqdm move below it. On a terminal it begins with so many spaces that they end in the next line,
    unless the cursor is at the start of one. Elsewhere the cursor cannot be told, and few programs leave it there.

    Args:
        text: The line.
        may_follow_bar: Whether the program draws progress bars also where its output is no terminal.
    """
    if sys.stdout is None:  # So it is where the caller has closed it.
        return
    if sys.stdout.isatty():
        text = " " * (shutil.get_terminal_size().columns - 1) + "\r" + text
    elif may_follow_bar:
        text = "\n" + text
    tqdm = sys.modules.get("tqdm")
    if tqdm is not None:
        tqdm.tqdm.write(text)
    else:
        sys.stdout.write(text + "\n")
    sys.stdout.flush()


def whole_figures(text: str) -> str:
    """The same text with a no-break space between each figure and its unit."""
    return _INSIDE_FIGURE.sub(_NO_BREAK, text)


def wrapped(text: str, width: int) -> str:
    """Text in lines of at most ``width`` characters: no line ends inside a figure, a path or an option.

    >>> print(wrapped("The start mode takes 106 ms at 25.8 W.", 25))
    The start mode takes
    106 ms at 25.8 W.
    """
    lines = [
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in whole_figures(text).splitlines()
    ]
    return "\n".join(lines).replace(_NO_BREAK, " ")
