"""Log helpers: every warning goes through ``logging`` and names the page of the documentation that says more.

Errors that do not reach the user are logged with their traceback at debug level.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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

    The traceback of the error behind it is logged at debug level: of the error among ``values``, else of the one that
    is being handled.

    Args:
        message: What is wrong and what to do about it, with a ``%s`` for each value, without a full stop at its end.
        values: Values for the message.
        see: Page, and heading on it, that says more: ``"safety.md#by-hand"``.
        once: Whether this process gives the very same warning only once.
    """
    text = (message % values).rstrip(".")  # The message of an error may end in one.
    if not once or text not in _given_once:
        _log.warning("PowerTrain: %s. See %s", text, page(see), stacklevel=2)
    if once:
        _given_once.add(text)
    error = next((value for value in values if isinstance(value, BaseException)), sys.exc_info()[1])
    if error is not None:
        _log.debug("PowerTrain: the traceback of this warning: %s", text, exc_info=error, stacklevel=2)


def log_swallowed(what: str, error: BaseException) -> None:
    """Log the traceback of an error that goes no further, at debug level.

    Args:
        what: What failed: ``"closing the device"``.
        error: The error.
    """
    _log.debug("PowerTrain: %s failed with the error below.", what, exc_info=error, stacklevel=2)


@contextmanager
def swallowed(what: str, kinds: type[Exception] | tuple[type[Exception], ...] = Exception) -> Iterator[None]:
    """Let no error out of the body of a ``with`` statement, and log its traceback at debug level.

    Args:
        what: What the body does: ``"closing the device"``.
        kinds: Class or classes of the errors that stay inside.

    >>> with swallowed("parsing a number"):
    ...     int("three")
    """
    try:
        yield
    except kinds as error:
        log_swallowed(what, error)
