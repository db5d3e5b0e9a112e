"""What every process of a job but the first does: it drives its board as the first one says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning_powertrain.devices import Device
from lightning_powertrain.fleet.messages import Dismissed, GoOn, Link, Message
from lightning_powertrain.fleet.peers import Peers
from lightning_powertrain.fleet.station import Station
from lightning_powertrain.tuning import Known, Phase
from lightning_powertrain.warning import log_swallowed, warn


class Member:
    """Takes a board through the power modes that the leader of the job asks for.

    Has the face of a :class:`~lightning_powertrain.tuning.Tuner`; what was found out is known to the leader.

    Args:
        peers: All processes of the job.
        device: The board; None if another process drives it.
        strict: Raise errors.
        match_threads: See :class:`~lightning_powertrain.tuning.Tuner`.
    """

    def __init__(
        self, peers: Peers, device: Device | None, *, strict: bool = False, match_threads: bool = False
    ) -> None:
        self._link = Link(peers)
        self._station = Station(peers.rank, device, match_threads)
        self._strict = strict

    @property
    def phase(self) -> Phase:
        """Not known here."""
        return Phase.OFF

    @property
    def device(self) -> None:
        """The leader knows what stands for all boards."""

    @property
    def profile(self) -> None:
        """Not known here."""

    @property
    def experience(self) -> None:
        """Not known here."""

    @property
    def outcome(self) -> None:
        """Not known here."""

    def start(self, **about: Any) -> Member:
        """Meet the others, and take hold of the board; the job is the leader's business."""
        self._meet(lambda: self._link.gather(self._station.hello()))
        return self

    def recall(self, known: Known) -> None:
        """What was measured before is the leader's business."""

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report that one minibatch has ended; see :class:`~lightning_powertrain.tuning.Tuner`."""
        self._station.minibatch_ended()
        if cycle_complete and self._link.is_open:
            self._meet(lambda: self._station.met(self._link.gather(self._station.report())))

    def interrupt(self) -> None:
        """The leader takes note of it."""

    def give_up(self, error: Exception) -> None:
        """Report that something which tuning needs has failed: tuning ends everywhere at the next meeting."""
        self._station.fail(error)

    def stop(self) -> None:
        """Put the board back as it was found. May be called at any time, and more than once."""
        self._link.close()
        self._let_go()

    def _meet(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
            self._serve()
        except Exception as error:  # The leader hears of it too, and says so.
            self._let_go()
            if self._strict:
                raise
            log_swallowed("tuning all boards together", error)

    def _let_go(self) -> None:
        self._link.hang_up()
        try:
            self._station.let_go()
        except Exception as error:
            if self._strict:
                raise
            warn(
                "the board could not be put back (%r): `powertrain restore` does it by hand",
                error,
                see="safety.md#by-hand",
            )

    def _serve(self) -> None:
        """Do what the leader asks for, until it sends everybody back to training."""
        while True:
            order = self._link.gather(Message())[0]
            if isinstance(order, GoOn):
                return
            if isinstance(order, Dismissed):
                self._link.hang_up()
                if order.keeps_mode:
                    self._station.stop_sampling()
                else:
                    self._let_go()
                return
            self._link.gather(self._station.obey(order))
