"""Budgets that change while a job runs: what a callable returns, or a schedule of times."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection.budget import Budget, MinibatchBudget, StartBudget
from lightning_powertrain.selection.objective import Objective

_FORMATS = ("%H:%M", "%Y-%m-%dT%H:%M")
_ALLOWED = (
    'times of day such as "06:00", or dates with a time such as "2026-12-01T06:00", each with a budget of a minibatch'
)


class Schedule:
    """A budget for each time: of the day, again each day, or of a date.

    It returns the budget that holds now when it is called. Before the first date the first budget holds.

    Args:
        budgets: Budgets by the time from which they hold, such as ``{"06:00": "15 W", "18:00": "5 % slower"}``.
        now: Tells the time, in the time zone of this computer.

    Raises:
        ArgumentError: If a time or a budget cannot be read, or times of day and dates are mixed.

    >>> Schedule({"06:00": "15 W", "10:00": "40 W"}, now=lambda: datetime(2026, 12, 1, 9, 59))()
    '15 W'
    """

    def __init__(self, budgets: Mapping[str, object], now: Callable[[], datetime] = datetime.now) -> None:
        times = [_time(text) for text in budgets]
        self.is_daily = bool(times) and all(each is not None and each.year == 1900 for each in times)
        if not times or any(each is None or (each.year == 1900) != self.is_daily for each in times):
            raise ArgumentError.of("budgets", dict(budgets), _ALLOWED)
        known = [(each, budget) for each, budget in zip(times, budgets.values()) if each is not None]
        self._entries = sorted(known, key=lambda entry: entry[0])  # Budgets have no order.
        self._now = now

    @classmethod
    def load(cls, path: str | Path, now: Callable[[], datetime] = datetime.now) -> Schedule:
        """A schedule from a CSV file with the columns ``time`` and ``budget``.

        Raises:
            FileFormatError: If the file cannot be read, or lacks a column.
            ArgumentError: As in the constructor.
        """
        try:
            with Path(path).open(newline="", encoding="utf-8") as file:
                budgets: dict[str, object] = {
                    row["time"].strip(): row["budget"].strip() for row in csv.DictReader(file)
                }
        except (OSError, ValueError, KeyError, AttributeError) as error:
            what = "a CSV file with the columns time and budget"
            raise FileFormatError(f"{path} is not a schedule, {what} ({error!r})") from error
        return cls(budgets, now)

    @property
    def budgets(self) -> list[object]:
        """All budgets, by time."""
        return [budget for _, budget in self._entries]

    def __call__(self) -> object:
        """The budget that holds now."""
        now = self._now()
        if self.is_daily:
            now = datetime(1900, 1, 1, now.hour, now.minute, now.second)
        index = bisect_right([each for each, _ in self._entries], now) - 1
        # In the morning the last budget of the day before holds.
        return self._entries[index if self.is_daily else max(0, index)][1]

    def __repr__(self) -> str:
        form = _FORMATS[0] if self.is_daily else _FORMATS[1]
        return "schedule " + "; ".join(f"{each.strftime(form)} {budget}" for each, budget in self._entries)


def _time(text: object) -> datetime | None:
    for form in _FORMATS:
        try:
            return datetime.strptime(str(text), form)
        except ValueError:
            continue
    return None


class ChangingBudget(MinibatchBudget):
    """A budget that is asked for again and again.

    Args:
        source: Returns the budget that holds now, in any form; what it raises is logged, and the last budget stays.
        parse: Reads those forms.
    """

    def __init__(self, source: Callable[[], object], parse: Callable[[object], Budget]) -> None:
        self._source = source
        self._parse = parse
        self._now: MinibatchBudget = StartBudget()
        self._has_failed = False

    @property
    def now(self) -> MinibatchBudget:
        """The budget that holds since :meth:`refresh`; at first the one that stands for no budget."""
        return self._now

    def refresh(self) -> bool:
        """Ask for the budget that holds now; returns whether it is another one."""
        before = self._now
        try:
            budget = self._parse(self._source())
            if isinstance(budget, ChangingBudget) or not isinstance(budget, MinibatchBudget):
                raise ArgumentError.of("budget", str(budget), "a budget of each minibatch in a budget that changes")
            self._now, self._has_failed = budget, False
        except Exception as error:
            if not self._has_failed:  # Only the first of many in a row.
                what = "the budget could not be asked for (%r): the last one stays (%s)"
                warn(what, error, before, see="budgets.md#budgets-that-change")
            self._has_failed = True
        return self._now != before

    def objective(self, start: Measurement) -> Objective:
        return self._now.objective(start)

    def at_module(self, supply_overhead: float) -> ChangingBudget:
        return ChangingBudget(self._source, lambda found: self._parse(found).at_module(supply_overhead))

    def __str__(self) -> str:
        return repr(self._source) if isinstance(self._source, Schedule) else "what a function returns"
