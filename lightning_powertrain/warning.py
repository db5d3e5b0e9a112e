"""How everything in here warns: in one voice, through ``logging``, each with the page that says more."""

from __future__ import annotations

import logging

_log = logging.getLogger("lightning_powertrain")
_given_once: set[str] = set()


DOCUMENTATION = "https://lightning-powertrain.readthedocs.io/en/latest/"
"""Where the pages of the documentation are; also in ``[project.urls]`` of pyproject.toml."""


def page(where: str) -> str:
    """The address of a page of the documentation.

    Args:
        where: Its file below ``docs/``, and a heading if need be.

    >>> page("safety.md#by-hand")
    'https://lightning-powertrain.readthedocs.io/en/latest/safety.html#by-hand'
    """
    file, mark, heading = where.partition("#")
    return f"{DOCUMENTATION}{file[: -len('.md')]}.html{mark}{heading}"


def warn(message: str, *values: object, see: str, once: bool = False) -> None:
    """Warn of something that does not end the job.

    Args:
        message: What is wrong and what to do about it, with a ``%s`` for each value, without a full stop at its end.
        values: Values for the message.
        see: Page, and heading on it, that says more: ``"safety.md#by-hand"``.
        once: Whether this process gives the very same warning only once.
    """
    text = (message % values).rstrip(".")  # The message of an error may end in one.
    if once and text in _given_once:
        return
    if once:
        _given_once.add(text)
    _log.warning("PowerTrain: %s. See %s", text, page(see), stacklevel=2)
