"""Exchanges messages between the processes of a job, and passes failures on to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_powertrain.distributed.communicator import Communicator
from lightning_powertrain.distributed.messages import Message
from lightning_powertrain.errors import PowerTrainError


class Channel:
    """Exchanges messages until it is closed. A failure in any process closes the channels of all.

    Args:
        communicator: Connects the processes.
    """

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self.is_open = True
        """Whether the other processes take part in another exchange."""

    def all_gather(self, message: Message) -> list[Any]:
        """Send a message, and return the messages of all processes in order of rank.

        Raises:
            PowerTrainError: If a message reports a failure. All processes raise it.
            Exception: If a process has ended.
        """
        try:
            messages = self._communicator.all_gather(message)
        except BaseException:
            self.is_open = False
            raise
        failures = {rank: each.failure for rank, each in enumerate(messages) if each.failure}
        if failures:
            self.is_open = False
            raise PowerTrainError(_joined(failures))
        return messages

    def receive(self) -> Message:
        """Receive the message that the coordinator broadcasts; raises what :meth:`all_gather` raises."""
        message: Message = self.all_gather(Message())[0]
        return message

    def stop(self) -> None:
        """Exchange no more messages. All processes call this after the same exchange."""
        self.is_open = False

    def close(self) -> None:
        """Stop, and release the connections."""
        self.stop()
        self._communicator.close()


def error_text(error: Exception) -> str:
    """The message of an error; for errors of other libraries with their class."""
    return str(error) if isinstance(error, PowerTrainError) else repr(error)


def _joined(failures: Mapping[int, str]) -> str:
    """One text for all failures, which names the ranks of each."""
    ranks_by_text: dict[str, list[str]] = {}
    for rank, text in failures.items():
        ranks_by_text.setdefault(text, []).append(str(rank))
    return "; ".join(f"rank {', '.join(ranks)}: {text}" for text, ranks in ranks_by_text.items())
