"""Calls back when a module has been imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Callable

from lightning_powertrain.logs import swallowed

OnImport = Callable[[ModuleType], object]


def when_imported(name: str, call: OnImport) -> Callable[[], object]:
    """Call ``call`` with a module as soon as the program has imported it, or at once if it has.

    What ``call`` raises must not fail the program's import, and is logged at debug level.

    Args:
        name: Full name of the module.
        call: Takes the module.

    Returns:
        Ends the wait.
    """
    finder = _Finder(name, call)
    if name in sys.modules:
        _tell(call, sys.modules[name])
    else:
        sys.meta_path.insert(0, finder)
    return finder.remove


class _Finder(MetaPathFinder):
    """Finds one module as the other finders do, and removes itself."""

    def __init__(self, name: str, call: OnImport) -> None:
        self._name = name
        self._call = call

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        self.remove()
        finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
        spec = next((found for each in finders if (found := each.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            _tell_after(spec.loader, self._call)
        return spec

    def remove(self) -> None:
        """Find nothing any more; idempotent."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def _tell_after(loader: object, call: OnImport) -> None:
    """Wrap ``exec_module`` of this one loader, for one call."""
    execute = loader.exec_module  # type: ignore[attr-defined]  # every loader of a file has it

    def exec_module(module: ModuleType) -> None:
        vars(loader).pop("exec_module", None)
        execute(module)
        _tell(call, module)

    loader.exec_module = exec_module  # type: ignore[attr-defined]


def _tell(call: OnImport, module: ModuleType) -> None:
    with swallowed(f"watching the import of {module.__name__}"):
        call(module)
