"""The forms in which a budget may be written, in two tables: of units, and of everything else.

The unit alone decides what a figure limits. Milliseconds, seconds and ``it/s`` are of a minibatch, minutes and hours of
the whole job. A figure of 60 seconds or more is refused, since it is likely meant for the job.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, time
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Union

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.selection.budget import (
    Budget,
    FixedBudget,
    JobDeadline,
    JobEnergy,
    JobTime,
    MinibatchBudget,
    StartBudget,
    number_text,
)
from lightning_powertrain.selection.objective import Objective
from lightning_powertrain.selection.objectives import (
    LeastEnergy,
    LeastEnergyDelay,
    LeastEnergyWithin,
    PowerBudget,
    TimeBudget,
)
from lightning_powertrain.selection.schedule import ChangingBudget, Schedule

BudgetLike = Union[float, str, Objective, Budget, typing.Mapping[str, object], typing.Callable[[], object], None]
"""What :func:`parse_budget` reads."""

BUDGET_FORMS = (
    '30 or "30 W" (fastest mode that draws no more), "120 ms" or "8 it/s" (least power with minibatches no slower), '
    '"30 W, 120 ms" (least energy within both), "5 % slower" (least energy, compared with the mode that the job '
    'started in), "energy" (least energy per minibatch), "edp" (least energy-delay product), "8 h", "90 min" or '
    '"by 18:00" (the whole job by then, with least energy), "50 Wh" (the whole job within it, as fast as possible), '
    "None (least energy, no slower than the start and with no more power), or a Schedule or function of these"
)


def _per_second(figure: Decimal) -> Decimal:
    return 1000 / figure


def _times(factor: str) -> Callable[[Decimal], Decimal]:
    return lambda figure: figure * Decimal(factor)


# What each unit measures, and how a figure in it is converted: to watts, to milliseconds a minibatch, to percent,
# to minutes of the whole job, or to its watt-hours.
_UNITS: Mapping[str, tuple[str, Callable[[Decimal], Decimal]]] = {
    **dict.fromkeys(("w", "watt", "watts"), ("power", _times("1"))),
    "kw": ("power", _times("1000")),
    "ms": ("minibatch", _times("1")),
    "s": ("minibatch", _times("1000")),
    "it/s": ("minibatch", _per_second),
    **dict.fromkeys(("% slower", "%slower"), ("slower", _times("1"))),
    **dict.fromkeys(("min", "minutes"), ("job time", _times("1"))),
    **dict.fromkeys(("h", "hours"), ("job time", _times("60"))),
    "wh": ("job energy", _times("1")),
    "kwh": ("job energy", _times("1000")),
    "kj": ("job energy", lambda figure: figure / Decimal("3.6")),
    "j": ("job energy", lambda figure: figure / 3600),
}
_BUDGETS: Mapping[str, Callable[[float], Budget]] = {
    "power": lambda watts: FixedBudget(PowerBudget(watts), f"{number_text(watts)} W"),
    "minibatch": lambda ms: FixedBudget(TimeBudget(ms), f"{number_text(ms)} ms"),
    "slower": StartBudget,
    "job time": JobTime,
    "job energy": JobEnergy,
}
_WORDS: Mapping[str, Budget] = {
    "energy": FixedBudget(LeastEnergy(), "energy"),
    "edp": FixedBudget(LeastEnergyDelay(), "edp"),
}
_LONGEST_MINIBATCH_S = 60
# Units of others, and what is closest to them.
_SLIPS = {"m": "min", "hz": "it/s", "sec": "s", "seconds": "s", "%": "% slower"}

_NUMBER = r"([0-9]+\.?[0-9]*(?:e[+-]?[0-9]+)?|\.[0-9]+(?:e[+-]?[0-9]+)?)"
_FIGURE = re.compile(_NUMBER + r"\s*([a-z%/][a-z%/ ]*)")
_DEADLINE = re.compile(r"by\s+(?:([0-9]{4})-([0-9]{2})-([0-9]{2})t)?([0-9]{1,2}):([0-9]{2})")


def parse_budget(budget: object, now: Callable[[], datetime] = datetime.now) -> Budget:
    """The budget that a user means.

    Args:
        budget: One of the forms in the message below, an :class:`Objective` of your own, a :class:`Schedule` or its
            mapping, a function that returns a budget, or a budget already.
        now: Tells the time, in the time zone of this computer.

    Raises:
        ArgumentError: If it has none of the forms.

    >>> print(parse_budget(30), parse_budget("0.12 s"), parse_budget("90 min"), parse_budget("180 kJ"), sep=", ")
    30 W, 120 ms, 90 min, 50 Wh

    >>> parse_budget("30,5 W")
    Traceback (most recent call last):
    ...
    lightning_powertrain.errors.ArgumentError: budget='30,5 W' is not valid. Did you mean "30.5 W"? Allowed: ...
    """
    if budget is None:
        return StartBudget()
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, Objective):
        return FixedBudget(budget, str(budget))
    if isinstance(budget, Mapping):
        return _changing(Schedule(budget), now)
    if callable(budget) and not isinstance(budget, type):
        return _changing(budget, now)
    if isinstance(budget, str):
        text = " ".join(budget.lower().split())
        found = _parsed(text, now)
        if found is None:
            raise ArgumentError.of("budget", budget, BUDGET_FORMS, meant=_nearest(text, now))
        return found
    # Only true numbers: float() would also take bytes, and the booleans of numpy.
    watts = math.nan
    if isinstance(budget, Real) and not isinstance(budget, bool):
        with suppress(OverflowError):
            watts = float(budget)
    if not 0 < watts < math.inf:
        raise ArgumentError.of("budget", budget, BUDGET_FORMS)
    return _BUDGETS["power"](watts)


def _changing(source: Callable[[], object], now: Callable[[], datetime]) -> ChangingBudget:
    """A budget that is asked for; those of a schedule are known before."""
    for budget in source.budgets if isinstance(source, Schedule) else ():
        if not isinstance(parse_budget(budget, now), MinibatchBudget):
            raise ArgumentError.of("budget", budget, "a budget of each minibatch in a schedule")
    return ChangingBudget(source, lambda found: parse_budget(found, now))


def _parsed(text: str, now: Callable[[], datetime]) -> Budget | None:
    """The budget that a text in small letters stands for; None if it has none of the forms."""
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith("by"):
        return _deadline(text, now)
    parts = [_figure(part.strip()) for part in text.split(",")]
    if len(parts) == 1 and parts[0] is not None:
        kind, value = parts[0]
        return _BUDGETS[kind](value)
    limits = dict(part for part in parts if part is not None)
    if len(parts) == 2 and set(limits) == {"power", "minibatch"}:
        watts, ms = limits["power"], limits["minibatch"]
        return FixedBudget(LeastEnergyWithin(watts, ms), f"{number_text(watts)} W, {number_text(ms)} ms")
    return None


def _figure(text: str) -> tuple[str, float] | None:
    """What a figure with a unit limits, and at which value; None if it is no such figure, or not above 0."""
    parts = _FIGURE.fullmatch(text)
    if parts is None or parts[2] not in _UNITS:
        return None
    kind, convert = _UNITS[parts[2]]
    try:
        figure = Decimal(parts[1])
        value = float(convert(figure))
    except ArithmeticError:  # Too large or too small even for decimals, or a division by 0.
        return None
    is_long = parts[2] == "s" and figure >= _LONGEST_MINIBATCH_S
    return (kind, value) if 0 < value < math.inf and not is_long else None


def _deadline(text: str, now: Callable[[], datetime]) -> Budget | None:
    parts = _DEADLINE.fullmatch(text)
    if parts is None:
        return None
    year, month, day, hour, minute = parts.groups()
    try:
        if year is None:
            return JobDeadline(time(int(hour), int(minute)))
        at = datetime(int(year), int(month), int(day), int(hour), int(minute))
    except ValueError:  # There is no such date or time.
        return None
    return JobDeadline(at) if at > now() else None


def _nearest(text: str, now: Callable[[], datetime]) -> str | None:
    """The form that was likely meant, as it is written; None if that is anybody's guess."""
    for guess in _guesses(text):
        budget = _parsed(guess, now)
        if budget is not None:
            return f'"{budget}"'
    return None


def _guesses(text: str) -> Iterator[str]:
    yield re.sub(r"([0-9]),([0-9])", r"\1.\2", text)  # A decimal comma.
    yield f"{text} w"  # A bare number.
    yield text.lstrip("+-")
    yield f"by {text}"
    yield re.sub(r"^by\s+", "by 0", text)
    yield re.sub(r".*?([0-9]{1,2}:[0-9]{2}).*", r"by \1", text)  # A day in the past, or seconds.
    yield re.sub(r"([a-z/]) +([0-9])", r"\1, \2", text)  # Two limits without a comma.
    parts = _FIGURE.fullmatch(text)
    if parts is None:
        yield from get_close_matches(text, _WORDS, n=1)
        return
    number, unit = parts[1], parts[2].strip()
    if unit == "s":
        yield f"{Decimal(number) / 60:f} min"
    yield f"{number} {_SLIPS.get(unit, unit)}"
    yield from (f"{number} {close}" for close in get_close_matches(unit, _UNITS, n=1, cutoff=0.5))
    yield f"{number} w"
