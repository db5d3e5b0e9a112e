"""Where a tuner stands, in one word and one sentence; and why it does not tune."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_powertrain.errors import DeviceNotFoundError, PowerTrainError
from lightning_powertrain.logs import warn
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.phase import Phase


@dataclass(frozen=True)
class Status:
    """Where a tuner stands, or why nothing was tuned.

    Args:
        word: One of ``idle``, ``warming up``, ``measuring start``, ``profiling``, ``deciding``, ``verifying``,
            ``locked``, ``closed``, ``failed``.
        sentence: The same in one sentence, with what is known.

    >>> print(Status("idle", "No job has started."))
    idle: No job has started.
    """

    word: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.word}: {self.sentence}"


IDLE = Status("idle", "No job has started.")
TOO_SHORT = Status("closed", "The job is too short for tuning: it stays in the power mode that it started in.")


def at_work(phase: Phase, measured: int, outcome: Outcome | None) -> Status:
    """The status of an open session.

    Args:
        phase: Its phase.
        measured: Power modes that were measured so far.
        outcome: The result so far.
    """
    if phase is Phase.LOCKED and outcome is not None:
        return Status("locked", f"The job stays in {_choice(outcome)}.")
    sentence = {
        Phase.IDLE: IDLE.sentence,
        Phase.WARMING_UP: "The first minibatches run in the power mode that the job started in.",
        Phase.MEASURING_START: "The power mode that the job started in is measured.",
        Phase.PROFILING: f"The board moves through power modes; {_counted(measured)} measured so far.",
        Phase.DECIDING: f"The predictor learns from {_counted(measured)}.",
        Phase.VERIFYING: f"A power mode that is expected to be the best is measured, after {_counted(measured)}.",
    }[phase]
    return Status(phase.name.lower().replace("_", " "), sentence)


def ended(measured: int, outcome: Outcome | None) -> Status:
    """The status of a session whose job has ended."""
    if outcome is not None and outcome.selection.measured is not None:
        return Status("closed", f"The job trained in {_choice(outcome)}; the board is restored.")
    measured_so_far = f"{_counted(measured)} measured"
    return Status("closed", f"The job ended before a power mode was chosen: {measured_so_far}; the board is restored.")


def failed(error: Exception) -> Status:
    """The status of a session that an error has closed."""
    return Status("failed", f"Tuning has stopped ({error}); training continues without it.")


def disabled(error: Exception) -> Status:
    """The status of a tuner that found nothing to tune, with a warning; a program warns of no Jetson only once."""
    reason = error if isinstance(error, PowerTrainError) else repr(error)
    what = "power-mode tuning is disabled for this run, and training continues unchanged: %s"
    once = isinstance(error, DeviceNotFoundError)
    warn(what, reason, see="troubleshooting.md#tuning-does-not-begin", once=once)
    return Status("failed", f"Tuning did not begin: {reason}")


def warn_not_restored(error: Exception) -> None:
    """Warn that the board is not in the state that the job found, and what to do."""
    warn("the board could not be restored (%r): run `powertrain restore`", error, see="safety.md#by-hand")


def _counted(modes: int) -> str:
    return f"{modes} power mode{'' if modes == 1 else 's'}"


def _choice(outcome: Outcome) -> str:
    selection = outcome.selection
    return f"{selection.mode}: {selection.time_ms:.3g} ms a minibatch, {selection.power_w:.3g} W"
