"""Boards that are alike, as one device: one mode for all of them, and the power of the hungriest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Callable, List

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import Board, ModeSpace, PowerMode
from lightning_powertrain.devices import Clock, Health, HealthSampler, PowerReading, PowerSampler, Samplers
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.fleet.messages import Done, Hello, Order, Report, same_mode

FloatArray = npt.NDArray[np.float64]
Command = Callable[[Order], List[Done]]


class EqualBoards:
    """A :class:`~lightning_powertrain.devices.Device` that stands for several.

    Args:
        hellos: What the process of each board said of it, by rank.
        clock: The clock of the process that times the minibatches of all.
        command: Gets an order done everywhere; gives nothing if it could only be done by this process.
        start: The mode to start in; by default that in which the first of them was found.
    """

    def __init__(
        self, hellos: Mapping[int, Hello], clock: Clock, command: Command, start: PowerMode | None = None
    ) -> None:
        first = next(iter(hellos.values()))
        assert first.board is not None
        assert first.modes is not None
        assert first.mode is not None
        self._hellos = dict(hellos)
        self._board, self._modes = replace(first.board, identity=_identity(hellos)), first.modes
        self._start = self._mode = start or first.mode
        self._clock = clock
        self._command = command
        self.samplers = FleetSamplers(self, list(hellos))
        """Samples of all these boards."""

    def starting_in(self, mode: PowerMode) -> EqualBoards:
        """These boards, to be tuned from another mode on."""
        return EqualBoards(self._hellos, self._clock, self._command, mode)

    @property
    def ranks(self) -> frozenset[int]:
        """The processes that drive these boards."""
        return frozenset(self._hellos)

    @property
    def board(self) -> Board:
        return self._board

    @property
    def modes(self) -> ModeSpace:
        return self._modes

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def simulated(self) -> bool:
        return any(hello.simulated for hello in self._hellos.values())

    @property
    def settle_s(self) -> float:
        return max(hello.settle_s for hello in self._hellos.values())

    def current_mode(self) -> PowerMode:
        return self._mode

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        """Set a mode on all boards.

        Raises:
            ModeError: If the mode is not in :attr:`modes`.
            DeviceError: If boards do not read back the same.
            PowerTrainError: If one of them refused.
        """
        self._modes.index(mode)
        self._mode = same_mode(self._command(Order("", self.ranks, PowerMode(**mode))))
        return self._mode

    def restore(self) -> None:
        """Put all boards back as they were found, or else into the mode to start in."""
        if self._command(Order("", self.ranks)):
            self.set_start()

    def set_start(self) -> None:
        """Set the mode to start in on all boards that were found in another."""
        others = frozenset(rank for rank, hello in self._hellos.items() if hello.mode != self._start)
        if others:
            self._command(Order("", others, self._start))
        self._mode = self._start

    # Boards are remembered, sampled and closed by the process that each belongs to.

    def snapshot(self) -> None: ...

    def close(self) -> None: ...

    def minibatch_ended(self) -> None: ...

    def read_power(self) -> PowerReading:
        raise DeviceError("the power of several boards is sampled by the process of each")

    def health(self) -> Health:
        raise DeviceError("the health of several boards is sampled by the process of each")


def _identity(hellos: Mapping[int, Hello]) -> dict[str, str]:
    """Which boards these are, whatever their order."""
    identities = sorted(sorted(hello.board.identity.items()) for hello in hellos.values() if hello.board is not None)
    return {"boards": json.dumps(identities)}


class FleetSamplers(Samplers):
    """Samples that the process of each board has taken.

    Args:
        device: Stands for all the boards.
        ranks: The processes that drive them.
    """

    def __init__(self, device: EqualBoards, ranks: Sequence[int]) -> None:
        self._power = {rank: PowerSampler(device) for rank in ranks}
        self._health = {rank: HealthSampler(device) for rank in ranks}
        self.power = _Hungriest(device, list(self._power.values()))
        self.health = _Any(device, list(self._health.values()))

    def start(self) -> None:
        """Nothing to do: every process has begun already."""

    def stop(self) -> None:
        """Nothing to do: every process stops by itself."""

    def take_in(self, reports: Sequence[Report], met_s: float) -> None:
        """Take in what was reported, all of it relative to ``met_s``."""
        for rank, sampler in self._power.items():
            for after_s, watts in reports[rank].power:
                sampler.add(met_s + after_s, watts)
        for rank, checks in self._health.items():
            for after_s, health in reports[rank].health:
                checks.add(met_s + after_s, health)


class _Hungriest(PowerSampler):
    """The samples of that board which draws most: each of them has to keep the budget."""

    def __init__(self, device: EqualBoards, boards: Sequence[PowerSampler]) -> None:
        super().__init__(device)
        self._boards = boards

    def between(self, start_s: float, end_s: float) -> tuple[FloatArray, FloatArray]:
        samples = [board.between(start_s, end_s) for board in self._boards]
        # One board without a sample may be the hungriest: then nothing is known.
        return max(samples, key=lambda sample: float(sample[1].mean()) if len(sample[1]) else float("inf"))


class _Any(HealthSampler):
    """What holds back any of the boards holds back all of them."""

    def __init__(self, device: EqualBoards, boards: Sequence[HealthSampler]) -> None:
        super().__init__(device)
        self._boards = boards

    def sample(self) -> None:
        """Nothing to do: every process samples by itself."""

    def throttled_by(self, start_s: float, end_s: float) -> tuple[str, ...]:
        return tuple(sorted({cause for board in self._boards for cause in board.throttled_by(start_s, end_s)}))
