"""Training is sacred: whatever fails in a tuning session restores the board, and training continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightning_powertrain.devices import BaseDevice, open_device
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed, warn
from lightning_powertrain.tuning.mode_runner import ClosedError
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.session import TuningSession
from lightning_powertrain.tuning.status import Status, disabled, failed, warn_not_restored

_STOPPED = "troubleshooting.md#tuning-stops"


class SessionGuard:
    """Opens the session of a job and closes it, and lets no failure of it reach training.

    Args:
        strict: Raise errors instead of warning of them.
    """

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self.session: TuningSession | None = None
        """The session of the last job that was started; None before the first one, and where none could be opened."""
        self.failure: Status | None = None
        """Why the session was not opened, or has failed; None if all is well."""
        self._opened: BaseDevice | None = None

    def start(
        self, device: str | BaseDevice | None, seed: int, make_session: Callable[[BaseDevice], TuningSession]
    ) -> None:
        """Open a board and a session on it, and start that.

        Args:
            device: The board, which its owner closes; or its name; or None for the Jetson that this runs on.
            seed: Of a simulated board.
            make_session: Returns the session.

        Raises:
            DeviceError: If the board cannot be opened, under ``strict``.
        """
        self.session = self.failure = self._opened = None
        try:
            if device is None or isinstance(device, str):
                device = self._opened = open_device(device, seed)
        except DeviceError as error:
            if self._strict:
                raise
            self.failure = disabled(error)
            return
        with self.running():
            self.session = make_session(device)
            with self.session.runner.charged():
                self.session.start()

    @contextmanager
    def running(self) -> Iterator[None]:
        """A context for what calls the session, whose failures must not reach training."""
        try:
            yield
        except ClosedError:
            pass  # An observer or a signal handler has closed the session.
        except Exception as error:
            self.fail(error)
        finally:
            if self.session is not None and self.session.close_is_due:
                self.stop()

    def fail(self, error: Exception) -> None:
        """Restore the board after an error, and warn once; see :meth:`lightning_powertrain.tuner.Tuner.give_up`."""
        state = "the board is restored"
        self.failure = failed(error)
        try:
            self._close()
        except Exception as failure:
            log_swallowed("restoring the board", failure)
            state = f"the board could not be restored ({failure!r}): run `powertrain restore`"
        if self._strict:
            raise error
        warn("power-mode tuning has stopped (%r); %s, and training continues unchanged", error, state, see=_STOPPED)

    def stop(self) -> None:
        """Close the session, which restores the board; see :meth:`lightning_powertrain.tuner.Tuner.stop`."""
        try:
            self._close()
        except Exception as error:
            if self._strict:
                raise
            warn_not_restored(error)

    def leave(self, error: BaseException | None) -> None:
        """Close the session at the end of a ``with`` statement, in which ``error`` was raised.

        Raises:
            DeviceError: As :meth:`stop`, unless an error of the user has to surface.
        """
        try:
            self.stop()
        except Exception as failure:
            if error is None:
                raise
            warn_not_restored(failure)

    def _close(self) -> None:
        session = self.session
        if session is not None:
            session.close()
        if self._opened is not None and (session is None or session.phase is Phase.CLOSED):
            self._opened.close()
