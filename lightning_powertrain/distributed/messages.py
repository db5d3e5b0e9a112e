"""The protocol between the processes of a job with several boards, and its messages.

Rank 0 is the coordinator, which runs the tuner. All other ranks are workers. Every process has a
:class:`~lightning_powertrain.distributed.local_board.LocalBoard`, the coordinator too. It samples the board of this
process and executes the requests for it. Where several processes share a board, only one of them drives it.

Every exchange is an all-gather: each process sends one message and receives the messages of all. In a broadcast only
the message of the coordinator counts, and the workers send an empty :class:`Message`. ::

    coordinator                             workers

    Registration  <---- all-gather ---->    Registration     when training starts, instead of a report

    Report        <---- all-gather ---->    Report           at the end of each accumulation cycle

    Request       ----- broadcast ----->                     once for each switch of power modes:
    Reply         <---- all-gather ---->    Reply            in most rounds not at all

    EndOfRound    ----- broadcast ----->                     training continues until the next round
     or
    EndOfTuning   ----- broadcast ----->                     training continues without another round

A round is all that happens between the reports and the end of the round. The reports are a barrier, and all processes
leave the round together. So all boards switch after the same minibatch.

Any message may carry a ``failure``. All processes receive it in the same all-gather. Then all of them restore their
boards and send no other message, and training continues. The coordinator logs one warning; with ``strict=True`` every
process raises the error. If a process ends, the all-gather fails in all others, and they do the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightning_powertrain.boards import Board, ModeSpace, PowerMode
from lightning_powertrain.devices import Health


@dataclass(frozen=True)
class Message:
    """What one process sends to all.

    Args:
        failure: Why tuning failed in the process that sends this; empty if it did not. It ends tuning in all processes.
    """

    failure: str = ""


@dataclass(frozen=True)
class Registration(Message):
    """Which board a process drives. It is the first message of each process.

    Args:
        board: The board; None for a process that drives none.
        modes: The power modes of the board.
        mode: The power mode before tuning.
        settle_s: See :class:`~lightning_powertrain.devices.BaseDevice`.
        simulated: See :class:`~lightning_powertrain.devices.BaseDevice`.
    """

    board: Board | None = None
    modes: ModeSpace | None = None
    mode: PowerMode | None = None
    settle_s: float = 0.0
    simulated: bool = False

    @property
    def kind(self) -> tuple[str, ModeSpace]:
        """Equal for boards of the same kind."""
        assert self.board is not None
        assert self.modes is not None
        return self.board.key, self.modes


@dataclass(frozen=True)
class Report(Message):
    """What a process has measured since the last round. All times are seconds after that round.

    Args:
        elapsed_s: Time since the last round.
        power: Power samples: time and watts.
        health: Health samples: time and health.
    """

    elapsed_s: float = 0.0
    power: tuple[tuple[float, float], ...] = ()
    health: tuple[tuple[float, Health], ...] = ()


@dataclass(frozen=True)
class Request(Message):
    """Asks some processes to set the power mode of their boards.

    Args:
        ranks: The ranks that execute the request.
        mode: The power mode to set; None to restore the board.
    """

    ranks: frozenset[int] = frozenset()
    mode: PowerMode | None = None


@dataclass(frozen=True)
class Reply(Message):
    """Answers a request.

    Args:
        mode: The power mode that the board reads back; None if the request was for other ranks.
    """

    mode: PowerMode | None = None


@dataclass(frozen=True)
class EndOfRound(Message):
    """Training continues until the next round."""


@dataclass(frozen=True)
class EndOfTuning(Message):
    """Training continues to its end without another round.

    Args:
        keep_mode: Whether the boards keep their power modes until the end of training, or are restored at once.
    """

    keep_mode: bool = False
