"""Sees every optimizer step of this process, by torch's global hooks and without importing torch."""

from __future__ import annotations

import functools
from importlib import import_module
from types import ModuleType
from typing import Any, Callable

from lightning_powertrain.running.imports import when_imported

OnStep = Callable[[Any], object]


class StepWatch:
    """Calls back after each step of each optimizer, once torch is imported.

    A step that a gradient scaler skips, since gradients have overflowed, counts too: its minibatch was computed.

    Args:
        call: Takes the optimizer; must not raise.
    """

    def __init__(self, call: OnStep) -> None:
        self._call = call
        self.is_active = False
        """Whether it watches, or waits for torch."""
        self._is_in_scaler = False
        self._undo: list[Callable[[], object]] = []
        # torch.compile follows the hook below, and would follow it into all that it calls.
        self._call_uncompiled: OnStep = _ignore

    def start(self) -> None:
        """Begin as soon as torch is imported."""
        self.is_active = True
        self._undo.append(when_imported("torch", self._watch))
        self._undo.append(when_imported("torch._dynamo", self._watch_compiled))

    def stop(self) -> None:
        """Leave nothing of this in torch; idempotent."""
        self.is_active = False
        while self._undo:
            self._undo.pop()()

    def _stepped(self, optimizer: Any) -> None:
        if self.is_active and not self._is_in_scaler:
            self._call(optimizer)

    def _watch(self, torch: ModuleType) -> None:
        # torch.compiler has it from 2.2 on, the private one is older.
        private: Callable[[], bool] = getattr(import_module("torch._utils"), "is_compiling", lambda: False)
        is_compiling: Callable[[], bool] = getattr(getattr(torch, "compiler", None), "is_compiling", private)

        def hook(optimizer: Any, args: Any, kwargs: Any) -> None:
            if not is_compiling():
                self._stepped(optimizer)
            elif type(optimizer).__module__.startswith("torch.optim."):
                # These end the compiled graph before their hooks. In a step of somebody else's optimizer the call could
                # split the graph, which torch.compile(fullgraph=True) refuses.
                self._call_uncompiled(optimizer)

        self._undo.append(import_module("torch.optim.optimizer").register_optimizer_step_post_hook(hook).remove)
        # The one of torch.cuda is derived from that of torch.amp, which torch has from 2.3 on.
        self._watch_scaler(getattr(torch.amp, "GradScaler", None) or torch.cuda.amp.GradScaler, is_compiling)

    def _watch_compiled(self, dynamo: ModuleType) -> None:
        self._call_uncompiled = dynamo.disable(self._stepped)

    def _watch_scaler(self, scaler: Any, is_compiling: Callable[[], bool]) -> None:
        """See the steps that a gradient scaler skips; torch has no hook for these."""
        original = scaler.step

        @functools.wraps(original)
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling():
                return original(scaler, optimizer, *args, **kwargs)
            self._is_in_scaler = True
            try:
                result = original(scaler, optimizer, *args, **kwargs)
            finally:
                self._is_in_scaler = False
            self._stepped(optimizer)
            return result

        scaler.step = step
        self._undo.append(lambda: setattr(scaler, "step", original) if scaler.step is step else None)


def _ignore(optimizer: Any) -> None:
    """What is called of compiled steps before torch's compiler is imported: it cannot have compiled any."""
