"""A typer app whose commands keep what their annotations say, also on Python 3.8 and 3.9."""

from __future__ import annotations

from typing import Any, Callable, TypeVar

import typer
from typing_extensions import get_type_hints

Function = TypeVar("Function", bound=Callable[..., Any])


class App(typer.Typer):
    """Resolves annotations before typer reads them.

    With ``from __future__ import annotations`` they are strings, which typer evaluates from Python 3.10 on only. Before
    that, the contents of ``Annotated`` are lost: names of options, help texts, callbacks.
    """

    def command(self, *arguments: Any, **options: Any) -> Callable[[Function], Function]:
        """See ``typer.Typer.command``."""
        register = super().command(*arguments, **options)
        return lambda function: register(_resolved(function))

    def callback(self, *arguments: Any, **options: Any) -> Callable[[Function], Function]:
        """See ``typer.Typer.callback``."""
        register = super().callback(*arguments, **options)
        return lambda function: register(_resolved(function))


def _resolved(function: Function) -> Function:
    function.__annotations__ = get_type_hints(function, include_extras=True)
    return function
