"""Everything that can go wrong, as one tree.

::

    PowerTrainError
    ├── ArgumentError (ValueError)       an argument has a value that is not allowed
    ├── FileFormatError (ValueError)     a profile or reference file is damaged or foreign
    ├── ModeError (ValueError)           a power mode is not in the board's own tables
    ├── UnknownTableError                the catalogue does not know this board's table
    ├── DeviceError                      the board did not do what it was asked
    │   └── DeviceNotFoundError          there is no board here that can be driven
    ├── BudgetError                      no mode can meet the budget (only under ``strict=True``)
    └── MissingPackageError (ModuleNotFoundError)  an optional package is not installed
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class PowerTrainError(Exception):
    """Root of every error that this library raises."""


class ArgumentError(PowerTrainError, ValueError):
    """An argument has a value that is not allowed."""

    @classmethod
    def of(cls, argument: str, value: object, allowed: str, meant: str | None = None) -> ArgumentError:
        """One message for every bad argument: which, what it was, what was likely meant, what is allowed.

        >>> str(ArgumentError.of("modes", 1, "a whole number from 10 to 18096"))
        'modes=1 is not valid. Allowed: a whole number from 10 to 18096.'
        """
        question = f" Did you mean {meant}?" if meant else ""
        return cls(f"{argument}={value!r} is not valid.{question} Allowed: {allowed}.")


class FileFormatError(PowerTrainError, ValueError):
    """A profile or reference file is damaged, or is not one of ours."""


class ModeError(PowerTrainError, ValueError):
    """A power mode holds a value that is not in the board's own tables."""


class UnknownTableError(PowerTrainError):
    """The catalogue does not know a table of this board; only the board itself does."""


class DeviceError(PowerTrainError):
    """The board did not do what it was asked."""


class DeviceNotFoundError(DeviceError):
    """There is no board here that can be driven."""


class BudgetError(PowerTrainError):
    """No power mode can meet the budget."""


class MissingPackageError(PowerTrainError, ModuleNotFoundError):
    """An optional package is not installed."""

    @classmethod
    def of(cls, package: str, extra: str) -> MissingPackageError:
        """Which package, and how to install it.

        >>> str(MissingPackageError.of("matplotlib", "plots"))
        "matplotlib is not installed; `pip install 'lightning-powertrain[plots]'` adds it"
        """
        return cls(f"{package} is not installed; `pip install 'lightning-powertrain[{extra}]'` adds it")


def one_of(value: object, names: Sequence[str]) -> str:
    """What is allowed where a name has to be one of several, with the one that was probably meant.

    >>> one_of("orin-agx64gb", ["agx-xavier", "orin-agx-64gb"])
    'one of agx-xavier, orin-agx-64gb (did you mean orin-agx-64gb?)'
    """
    close = get_close_matches(str(value), names, n=1)
    return f"one of {', '.join(names)}" + (f" (did you mean {close[0]}?)" if close else "")
