"""Where a tuner stands, in one word and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_powertrain.tuning.events import Outcome, Phase


@dataclass(frozen=True)
class Status:
    """Where a tuner stands, or why nothing was tuned.

    Args:
        word: One of ``idle``, ``warming up``, ``profiling``, ``deciding``, ``verifying``, ``locked``, ``closed``,
            ``failed``.
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
    """The status of a tuner that is at work.

    Args:
        phase: Its phase.
        measured: Power modes that were measured so far.
        outcome: What was found out so far.
    """
    modes = f"{measured} power mode{'' if measured == 1 else 's'}"
    if phase is Phase.LOCKED and outcome is not None:
        return Status("locked", f"The job stays in {_choice(outcome)}.")
    word, sentence = {
        Phase.WARMING_UP: ("warming up", "The power mode that the job started in is measured."),
        Phase.PROFILING: ("profiling", f"The board moves through power modes; {modes} measured so far."),
        Phase.FITTING: ("deciding", f"The predictor learns from {modes}."),
        Phase.VERIFYING: ("verifying", f"A promising power mode is measured, after {modes}."),
    }.get(phase, ("idle", "The board is left alone."))
    return Status(word, sentence)


def ended(measured: int, outcome: Outcome | None) -> Status:
    """The status of a tuner whose job has ended."""
    if outcome is not None and outcome.selection.measured is not None:
        return Status("closed", f"The job trained in {_choice(outcome)}; the board is restored.")
    modes = f"{measured} power mode{'' if measured == 1 else 's'}"
    return Status("closed", f"The job ended before a power mode was chosen: {modes} measured; the board is restored.")


def _choice(outcome: Outcome) -> str:
    selection = outcome.selection
    return f"{selection.mode}: {selection.time_ms:.3g} ms a minibatch, {selection.power_w:.3g} W"
