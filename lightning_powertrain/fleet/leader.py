"""What the first process of a job does: it tunes all boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lightning_powertrain.devices import Device
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.fleet.equals import EqualBoards
from lightning_powertrain.fleet.messages import Dismissed, Done, GoOn, Hello, Link, Order, described
from lightning_powertrain.fleet.peers import Peers
from lightning_powertrain.fleet.programme import Programme, Task, programme
from lightning_powertrain.fleet.station import Station
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Objective
from lightning_powertrain.tuning import Known, Outcome, Phase, Tuner
from lightning_powertrain.warning import log_swallowed, warn


class Leader:
    """Tunes the boards of all processes as one, and has the face of a :class:`~lightning_powertrain.tuning.Tuner`.

    All processes meet at the end of each minibatch, or of each accumulation cycle: each says what it has seen, then
    they do what the leader orders, until it sends all back to training. Whatever fails on one of them is told at the
    meeting, so that all stop together. Once a mode was chosen there are no more meetings.

    Args:
        peers: All processes of the job; this one must be of rank 0.
        device: The board of this one; None if it could not be opened, which :meth:`give_up` was told of.
        make_tuner: Makes the tuner of a task.
        objective: What the user asked for.
        hard: See :class:`~lightning_powertrain.tuning.Tuner`.
        strict: Raise errors.
    """

    def __init__(
        self,
        peers: Peers,
        device: Device | None,
        make_tuner: Callable[[Task], Tuner],
        *,
        objective: Objective | None = None,
        hard: bool = False,
        strict: bool = False,
    ) -> None:
        self._link = Link(peers)
        self._device = device
        self._station = Station(peers.rank, device)
        self._make_tuner = make_tuner
        self._strict = strict
        self._objective = objective
        self._hard = hard
        self._programme: Programme | None = None
        self._task: Task | None = None
        self._minibatches: int | None = None
        self._about: dict[str, Any] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._tuner: Tuner | None = None
        self._known: Known | None = None
        self._gives_orders = False

    @property
    def phase(self) -> Phase:
        """Where the tuner stands."""
        return self._tuner.phase if self._tuner else Phase.OFF

    @property
    def device(self) -> Device | None:
        """What stands for all boards; None if they differ, or if nothing is tuned."""
        return self._task.boards if self._task is not None and not self._task.name else None

    @property
    def profile(self) -> Profile | None:
        """What was measured so far; of each mode the power of the board that drew most."""
        return self._tuner.profile if self._tuner else None

    @property
    def experience(self) -> Profile | None:
        """What a later run of this job can go on from; nothing where boards differ."""
        return self.profile if self.device is not None else None

    @property
    def outcome(self) -> Outcome | None:
        """All that was found out of the kind of board that this process drives; None until a mode was chosen."""
        own = None if self._device is None else self._device.board.key
        return next((outcome for key, outcome in self.outcomes.items() if key == own), None)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What was found out so far of each kind of board, by its key."""
        current = self._tuner.outcome if self._tuner else None
        return {**self._outcomes, **({current.profile.provenance.board: current} if current else {})}

    def start(self, *, minibatches: int | None = None, **about: Any) -> Leader:
        """Meet the others, take hold of all boards, and begin to measure; arguments as for Tuner.start."""
        self._minibatches, self._about = minibatches, about
        try:
            hellos = self._link.gather(self._station.hello())
            with self._meeting():
                self._programme = programme(self._kinds(hellos), self._objective, self._hard)
                self._begin(next(self._programme))
        except Exception as error:
            self._station.let_go()
            if self._strict:
                raise
            what = "training runs as ever, in the power modes that the boards are in: %s"
            warn(what, described(error), see="multi-board.md#when-something-goes-wrong")
        return self

    def recall(self, known: Known) -> None:
        """Tell what was measured of this very job before, at the next meeting; see Tuner.recall."""
        self._known = known

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report that one minibatch has ended; see :class:`~lightning_powertrain.tuning.Tuner`."""
        self._station.minibatch_ended()
        if not self._link.is_open or self._tuner is None:
            return
        if self._minibatches is not None:
            self._minibatches -= 1
        if not cycle_complete:
            self._tuner.minibatch_ended(cycle_complete=False)
            return
        try:
            self._meet()
        except Exception as error:
            self._tuner.give_up(error)
            return
        with self._meeting():
            if self._known is not None:
                self._tuner.recall(self._known)
                self._known = None
            self._tuner.minibatch_ended()
            try:
                self._go_on_with_the_programme()
            except Exception as error:
                self._tuner.give_up(error)

    def interrupt(self) -> None:
        """Report that something other than training goes on; see :class:`~lightning_powertrain.tuning.Tuner`."""
        if self._tuner is not None:
            self._tuner.interrupt()

    def give_up(self, error: Exception) -> None:
        """Report that something which tuning needs has failed; the others put their boards back at the next meeting."""
        if self._tuner is not None:
            self._tuner.give_up(error)
        else:
            self._station.fail(error)

    def stop(self) -> None:
        """Put the board of this process back as it was found. May be called at any time, and more than once."""
        self._link.close()
        try:
            if self._tuner is not None:
                self._tuner.stop()
        finally:
            self._station.let_go()

    def _meet(self) -> None:
        reports = self._link.gather(self._station.report())
        met_s = self._station.met_s
        self._station.met(reports)
        assert self._task is not None
        self._task.boards.samplers.take_in(reports, met_s)

    def _go_on_with_the_programme(self) -> None:
        """Once the boards of a task are tuned, go on to the next."""
        assert self._task is not None
        assert self._tuner is not None
        outcome = self._tuner.outcome
        if self.phase is not Phase.LOCKED or self._task.is_last or outcome is None:
            return
        self._outcomes[self._task.boards.board.key] = outcome
        self._tuner.stop()
        assert self._programme is not None
        self._begin(self._programme.send(outcome.selection))

    def _begin(self, task: Task) -> None:
        self._task = task
        self._tuner = self._make_tuner(task)
        if not self._hard:  # Otherwise each starts from its lowest mode.
            task.boards.set_start()
        self._tuner.start(minibatches=self._minibatches, **self._about)

    @contextmanager
    def _meeting(self) -> Iterator[None]:
        """The part of a meeting in which the others wait for orders."""
        failure = ""
        self._gives_orders = True
        try:
            yield
        except Exception as error:
            failure = described(error)
            raise
        finally:
            self._gives_orders = False
            if self._link.is_open:
                self._end_meeting(failure)

    def _end_meeting(self, failure: str) -> None:
        """Send all back to training."""
        is_over = bool(failure) or self.phase in (Phase.OFF, Phase.LOCKED)
        keeps_mode = is_over and not failure and self.phase is Phase.LOCKED
        try:
            self._link.gather(Dismissed(failure, keeps_mode) if is_over else GoOn())
        except Exception as error:
            if failure:
                log_swallowed("ending a meeting that had failed", error)
            else:
                self.give_up(error)
        if is_over:
            self._link.hang_up()
            self._station.stop_sampling()

    def _command(self, order: Order) -> list[Done]:
        if not (self._gives_orders and self._link.is_open):
            if order.mode is not None:
                raise PowerTrainError("the boards of a job can be set only while all its processes meet")
            self._station.let_go()
            return []
        try:
            self._link.gather(order)
            return self._link.gather(self._station.obey(order))
        except BaseException:
            if order.mode is None:
                self._station.let_go()
            raise

    def _kinds(self, hellos: Sequence[Hello]) -> list[EqualBoards]:
        """The boards of each kind, that of this process first."""
        drivers = {rank: hello for rank, hello in enumerate(hellos) if hello.board is not None}
        if len({hello.simulated for hello in drivers.values()}) > 1:
            raise PowerTrainError("some boards of this job are simulated and some are not")
        assert self._device is not None
        clock = self._device.clock
        kinds: dict[object, dict[int, Hello]] = {}
        for rank, hello in drivers.items():
            kinds.setdefault(hello.kind, {})[rank] = hello
        return [EqualBoards(alike, clock, self._command) for alike in kinds.values()]
