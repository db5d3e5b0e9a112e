"""What goes wrong on demand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fnmatch import fnmatchcase

from virtual_board.nodes import Node, Tree, refuse


@dataclass
class Fault:
    """One thing that goes wrong.

    Args:
        operation: ``read`` or ``write``.
        pattern: Which paths; ``*`` stands for anything. Paths have no links in them, so that a pattern cannot pass one.
        code: The errno to answer with; 0 lets the operation through.
        delay_s: How long the caller waits first.
        lag_s: How long after a write was accepted it takes effect; ``inf`` forgets it.
        times: How often; for ever without.
        skip: How many operations pass unharmed before.
    """

    operation: str
    pattern: str
    code: int = 0
    delay_s: float = 0.0
    lag_s: float = 0.0
    times: int | None = None
    skip: int = 0

    def strikes(self, operation: str, path: str) -> bool:
        """Whether it strikes now; it counts down if so."""
        if operation != self.operation or not fnmatchcase(path, self.pattern) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """All that goes wrong with a tree.

    Args:
        tree: The tree.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._faults: list[Fault] = []
        self._hidden: dict[str, Node] = {}

    def add(self, fault: Fault) -> None:
        if fault.pattern.startswith("/"):
            fault.pattern = self._tree.resolve(fault.pattern)
        self._faults.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more; what vanished comes back."""
        self._faults.clear()
        for path in list(self._hidden):
            self.reveal(path)

    def hide(self, path: str) -> None:
        """Let a file or directory vanish."""
        path = self._tree.resolve(path)
        self._hidden[path] = self._tree.find(path)
        self._tree.remove(path)

    def reveal(self, path: str) -> None:
        """Let it come back."""
        path = self._tree.resolve(path)
        self._tree.place(path, self._hidden.pop(path))

    def strike(self, operation: str, path: str) -> float:
        """Let happen what is due; how long after a write it is to take effect.

        Raises:
            OSError: If a fault says so.
        """
        lag_s = 0.0
        for fault in list(self._faults):
            if fault.strikes(operation, path):
                if fault.delay_s:
                    time.sleep(fault.delay_s)
                if fault.code:
                    raise refuse(fault.code, path)
                lag_s = max(lag_s, fault.lag_s)
        return lag_s
