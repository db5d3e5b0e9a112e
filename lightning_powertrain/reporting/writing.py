"""Writes to experiment loggers, whatever framework they belong to, and leaves out those that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightning_powertrain.logs import warn


class LoggerWriter:
    """Writes to every logger. One that raises is left out from then on, with one warning.

    A logger is anything with ``log_metrics(metrics, step=...)``.

    Args:
        loggers: Gives the loggers; asked at each writing.
        step: Gives the step that loggers put on their x-axis.
        about: What is written, for the warning.
    """

    def __init__(self, loggers: Callable[[], Sequence[Any]], step: Callable[[], int], about: str) -> None:
        self._loggers = loggers
        self._step = step
        self._about = about
        self._failed: list[Any] = []

    def scalars(self, scalars: Mapping[str, float]) -> None:
        """Write scalars under names whose parts are joined by ``/``, or whatever a logger has instead."""

        def write(logger: Any, step: int) -> None:
            named = {separated(name, logger): float(value) for name, value in scalars.items()}
            logger.log_metrics(named, step=step)

        self.each(write)

    def working(self) -> list[Any]:
        """The loggers that have not failed."""
        return [logger for logger in self._loggers() if not any(logger is failed for failed in self._failed)]

    def each(self, write: Callable[[Any, int], None]) -> None:
        """Call ``write`` with every logger and the step."""
        step = self._step()
        for logger in self.working():
            try:
                write(logger, step)
            except Exception as error:
                self._failed.append(logger)
                what = "%s will no longer receive %s: it failed with %r"
                warn(what, type(logger).__name__, self._about, error, see="troubleshooting.md#loggers-and-files")


def separated(name: str, logger: Any) -> str:
    """A name whose parts are joined by ``/``, as a logger joins them."""
    separator = getattr(logger, "group_separator", "/")
    return name.replace("/", separator) if isinstance(separator, str) else name
