"""Who tunes in this process: a tuner that the program uses itself takes precedence over that of `powertrain run`."""

from __future__ import annotations

from collections.abc import Callable

_aside: list[Callable[[], object]] = []


def claim() -> None:
    """Call before a tuner of the program begins: whatever tunes without having been asked by it stops for good."""
    while _aside:
        _aside.pop()()


def stand_aside(call: Callable[[], object]) -> None:
    """Have ``call`` called once, when a tuner of the program begins.

    Args:
        call: Restores the board; must not raise.
    """
    _aside.append(call)


def no_longer(call: Callable[[], object]) -> None:
    """Undo :func:`stand_aside`."""
    if call in _aside:
        _aside.remove(call)
