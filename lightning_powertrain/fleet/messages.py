"""What the processes of one job tell each other about their boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from lightning_powertrain.boards import Board, ModeSpace, PowerMode
from lightning_powertrain.devices import Health
from lightning_powertrain.errors import DeviceError, PowerTrainError
from lightning_powertrain.fleet.peers import Peers
from lightning_powertrain.warning import log_swallowed

M = TypeVar("M", bound="Message")


@dataclass(frozen=True)
class Message:
    """What one process tells all others.

    Args:
        failure: What went wrong on its side; ends tuning everywhere.
    """

    failure: str = ""


@dataclass(frozen=True)
class Hello(Message):
    """Which board a process drives, before anything else.

    Args:
        board: The board; None for a process that drives none.
        modes: Its modes.
        mode: The mode in which it was found.
        settle_s: See :class:`~lightning_powertrain.devices.Device`.
        simulated: Likewise.
    """

    board: Board | None = None
    modes: ModeSpace | None = None
    mode: PowerMode | None = None
    settle_s: float = 0.0
    simulated: bool = False

    @property
    def kind(self) -> tuple[str, ModeSpace]:
        """What boards have in common that are alike."""
        assert self.board is not None
        assert self.modes is not None
        return self.board.key, self.modes


@dataclass(frozen=True)
class Report(Message):
    """What a process has seen since the last meeting. Times are seconds since that.

    Args:
        elapsed_s: How long ago the last meeting was.
        power: Power samples: when, and watts.
        health: Health samples: when, and what was found.
    """

    elapsed_s: float = 0.0
    power: tuple[tuple[float, float], ...] = ()
    health: tuple[tuple[float, Health], ...] = ()


@dataclass(frozen=True)
class Order(Message):
    """What some processes have to do with their boards at once.

    Args:
        ranks: Those that are meant.
        mode: The mode to set; None to put the board back as it was found.
    """

    ranks: frozenset[int] = frozenset()
    mode: PowerMode | None = None


@dataclass(frozen=True)
class Done(Message):
    """What became of an order.

    Args:
        mode: The mode that the board reads back; None if the order was for others.
    """

    mode: PowerMode | None = None


@dataclass(frozen=True)
class GoOn(Message):
    """Train on until the next meeting."""


@dataclass(frozen=True)
class Dismissed(Message):
    """Train on; there will be no other meeting.

    Args:
        keeps_mode: Whether the boards stay as they are to the end of the job, or are put back now.
    """

    keeps_mode: bool = False


class Link:
    """The line between the processes. Once something went wrong on any of them it is closed, on all at once.

    Args:
        peers: The processes.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.is_open = True
        """Whether the others may be waiting for this process, and it for them."""

    @property
    def rank(self) -> int:
        """Which process this is."""
        return self._peers.rank

    def gather(self, mine: M) -> list[Any]:
        """Tell all, and hear what each has to tell.

        Raises:
            PowerTrainError: If something went wrong on one of them; all others raise it too.
            Exception: If one of them is gone.
        """
        try:
            messages = self._peers.gather(mine)
        except BaseException:
            self.is_open = False
            raise
        failures = _who_by_what({rank: message.failure for rank, message in enumerate(messages) if message.failure})
        if failures:
            self.is_open = False
            raise PowerTrainError(failures)
        return messages

    def hang_up(self) -> None:
        """Tell and hear no more; all do so together, or when something went wrong."""
        self.is_open = False

    def close(self) -> None:
        """Hang up for good."""
        self.hang_up()
        self._peers.close()


def attempt(act: Callable[[], M], failed: Callable[[str], M]) -> M:
    """What ``act`` has to tell, or how it failed."""
    try:
        return act()
    except Exception as error:
        log_swallowed("a part of a meeting", error)
        return failed(described(error))


def described(error: Exception) -> str:
    """An error in words."""
    return str(error) if isinstance(error, PowerTrainError) else repr(error)


def same_mode(done: list[Done]) -> PowerMode:
    """The mode that all boards read back.

    Raises:
        DeviceError: If they do not agree.
    """
    modes = {each.mode for each in done if each.mode is not None}
    if len(modes) > 1:
        raise DeviceError(f"boards that should be alike read back different modes: {'; '.join(map(str, modes))}")
    return modes.pop()


def _who_by_what(failures: dict[int, str]) -> str:
    ranks_by_text: dict[str, list[str]] = {}
    for rank, text in failures.items():
        ranks_by_text.setdefault(text, []).append(str(rank))
    return "; ".join(f"rank {', '.join(ranks)}: {text}" for text, ranks in ranks_by_text.items())
