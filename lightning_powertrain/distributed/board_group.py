"""Several boards of the same kind as one device: they share a power mode, and the highest power counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Callable, List

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import (
    BaseDevice,
    Health,
    HealthPoller,
    LoadPoller,
    Pollers,
    PowerPoller,
    PowerReading,
)
from lightning_powertrain.distributed.messages import Registration, Reply, Report, Request
from lightning_powertrain.errors import DeviceError

FloatArray = npt.NDArray[np.float64]
SendRequest = Callable[[Request], List[Reply]]


class BoardGroup(BaseDevice):
    """Several boards of the same kind as one device.

    Args:
        registrations: The registration of each board, by rank.
        local: The device of the coordinator, whose clock times the minibatches of the job, and on which it computes.
        send_request: Sends a request to all processes and returns their replies; none outside a round, in which case
            only the board of the coordinator is restored.
        start_mode: The mode in which tuning starts; by default the one that the first board had.
    """

    def __init__(
        self,
        registrations: Mapping[int, Registration],
        local: BaseDevice,
        send_request: SendRequest,
        start_mode: PowerMode | None = None,
    ) -> None:
        first = next(iter(registrations.values()))
        assert first.board is not None
        assert first.modes is not None
        assert first.mode is not None
        self._registrations = dict(registrations)
        self.board, self.modes = replace(first.board, identity=_identity(registrations)), first.modes
        self.clock = local.clock
        self.simulated = any(registration.simulated for registration in registrations.values())
        self.settle_s = max(registration.settle_s for registration in registrations.values())
        self._start_mode = self._mode = start_mode or first.mode
        self._local = local
        self._send_request = send_request
        self.pollers = GroupPollers(self, list(registrations))
        """The samples of all boards."""

    def with_start_mode(self, mode: PowerMode) -> BoardGroup:
        """The same boards, with another mode in which tuning starts."""
        return BoardGroup(self._registrations, self._local, self._send_request, mode)

    @property
    def ranks(self) -> frozenset[int]:
        """The ranks that drive these boards."""
        return frozenset(self._registrations)

    def current_mode(self) -> PowerMode:
        return self._mode

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        """Set a mode on all boards.

        Raises:
            ModeError: If the mode is not in :attr:`modes`.
            DeviceError: If the boards read back different modes.
            PowerTrainError: If a board refused the mode.
        """
        self.modes.index(mode)
        self._mode = _common_mode(self._send_request(Request("", self.ranks, PowerMode(**mode))))
        return self._mode

    def restore(self) -> None:
        """Restore all boards, then set the start mode on those that had another one."""
        if self._send_request(Request("", self.ranks)):
            self.apply_start_mode()

    def apply_start_mode(self) -> None:
        """Set the start mode on all boards that had another one before tuning."""
        others = frozenset(rank for rank, each in self._registrations.items() if each.mode != self._start_mode)
        if others:
            self._send_request(Request("", others, self._start_mode))
        self._mode = self._start_mode

    def computing(self) -> AbstractContextManager[None]:
        return self._local.computing()

    # The process of each board takes the snapshot, samples, advances the clock and closes the device.

    def snapshot(self) -> None: ...

    def close(self) -> None: ...

    def read_power(self) -> PowerReading:
        raise DeviceError("a group of boards has no power sensor: the process of each board samples its power")

    def health(self) -> Health:
        raise DeviceError("a group of boards has no health of its own: the process of each board samples its health")


class GroupPollers(Pollers):
    """The samples that the process of each board has taken.

    Args:
        device: The group.
        ranks: The ranks that drive its boards.
    """

    def __init__(self, device: BoardGroup, ranks: Sequence[int]) -> None:
        self._power = {rank: PowerPoller(device) for rank in ranks}
        self._health = {rank: HealthPoller(device) for rank in ranks}
        self.power = _HighestPower(device, list(self._power.values()))
        self.health = _CombinedHealth(device, list(self._health.values()))
        self.load = LoadPoller(device)

    def start(self) -> None:
        """Does nothing: each process has started sampling when it registered."""

    def stop(self) -> None:
        """Does nothing: each process stops sampling itself."""

    def add_reports(self, reports: Sequence[Report], since_s: float) -> None:
        """Add the samples of reports, the times of which are relative to ``since_s``."""
        for rank, power in self._power.items():
            for after_s, watts in reports[rank].power:
                power.add(since_s + after_s, watts)
        for rank, checks in self._health.items():
            for after_s, health in reports[rank].health:
                checks.add(since_s + after_s, health)


class _HighestPower(PowerPoller):
    """The samples of the board with the highest mean power, since each board has to keep the budget."""

    def __init__(self, device: BoardGroup, boards: Sequence[PowerPoller]) -> None:
        super().__init__(device)
        self._boards = boards

    def between(self, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
        samples = [board.between(start_s, end_s) for board in self._boards]
        # A board without samples may be the one with the highest power. Its empty result makes the window invalid.
        return max(samples, key=lambda sample: float(sample[1].mean()) if len(sample[1]) else float("inf"))


class _CombinedHealth(HealthPoller):
    """Every cause that throttles at least one of the boards."""

    def __init__(self, device: BoardGroup, boards: Sequence[HealthPoller]) -> None:
        super().__init__(device)
        self._boards = boards

    def sample(self) -> None:
        """Does nothing: each process samples its own board."""

    def throttled_by(self, start_s: float, end_s: float) -> tuple[str, ...]:
        return tuple(sorted({cause for board in self._boards for cause in board.throttled_by(start_s, end_s)}))


def _identity(registrations: Mapping[int, Registration]) -> dict[str, str]:
    """The identities of all boards, independent of their ranks."""
    boards = [registration.board for registration in registrations.values()]
    return {"boards": json.dumps(sorted(sorted(board.identity.items()) for board in boards if board is not None))}


def _common_mode(replies: Sequence[Reply]) -> PowerMode:
    """The mode that all boards read back.

    Raises:
        DeviceError: If they read back different modes.
    """
    modes = {reply.mode for reply in replies if reply.mode is not None}
    if len(modes) > 1:
        raise DeviceError(f"boards of the same kind read back different power modes: {'; '.join(map(str, modes))}")
    return modes.pop()
