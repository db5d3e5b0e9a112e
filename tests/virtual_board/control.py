"""Orders to a board that is mounted: one line of JSON, written to a hidden file of the mount."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

from virtual_board.board import VirtualBoard
from virtual_board.faults import Fault
from virtual_board.nodes import KernelFile, refuse


class Control:
    """Hidden files of a board: ``order`` takes orders, the others answer questions."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        answers: dict[str, Callable[[], Any]] = {
            "writes": lambda: board.writes,
            "violations": lambda: board.violations,
            "settings": board.settings,
            "disk": board.disk_paths,
            "state": self._state,
        }
        self._orders: dict[str, Callable[..., None]] = {
            "fault": lambda **fault: board.faults.add(Fault(**fault)),
            "clear": board.faults.clear,
            "hide": board.faults.hide,
            "reveal": board.faults.reveal,
            "load": self._set_load,
            "heat": self._heat,
            "throttle": self._throttle,
            "over_current": self._over_current,
            "forget_writes": board.writes.clear,
            "wake_gpu": lambda: board.gpu.wake(),
            "reboot": board.boot,
            "reset": board.reset,
        }
        self.files = {name: KernelFile(0o444, show=self._as_json(answer), size=0) for name, answer in answers.items()}
        self.files["order"] = KernelFile(0o222, store=self._obey, size=0)

    def _obey(self, text: str) -> None:
        try:
            order = json.loads(text)
            with self._board.lock:
                self._orders[order.pop("order")](**order)
                self._board.settle()
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise refuse(errno.EINVAL) from error

    def _state(self) -> dict[str, Any]:
        board, clocks = self._board, self._board.clocks()
        return {
            "load": board.load,
            "temperature_c": board.plant.temperature_c,
            "is_throttling": board.thermals.is_throttling,
            "cores": clocks.cores,
            "cpu_khz": clocks.cpu_khz,
            "gpu_hz": clocks.gpu_hz,
            "emc_hz": clocks.emc_hz,
            "rails_w": {rail: board.shown_w(rail) for rail in board.plant.rails},
        }

    def _set_load(self, load: float) -> None:
        self._board.load = min(max(float(load), 0.0), 1.0)

    def _heat(self, temperature_c: float | None) -> None:
        self._board.plant.held_c = temperature_c

    def _throttle(self, device: str, state: int) -> None:
        if device not in self._board.thermals.states:
            raise KeyError(device)
        self._board.thermals.states[device] = int(state)

    def _over_current(self, alarm: int, events: int) -> None:
        self._board.thermals.over_currents[alarm] += events

    def _as_json(self, answer: Callable[[], Any]) -> Callable[[], str]:
        def show() -> str:
            with self._board.lock:
                return json.dumps(answer())

        return show
