"""What is tuned after what: one kind of board after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generator

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.fleet.equals import EqualBoards
from lightning_powertrain.selection import Objective, PowerBudget, Selection, TimeBudget

# Steps within this of each other count as equally long: no measured time is known better.
_SAME_STEP = 1.02


@dataclass(frozen=True)
class Task:
    """Boards of one kind to be tuned.

    Args:
        boards: The boards.
        objective: What to look for; None for what the user asked for.
        share: Of the time that the user allows for measuring.
        is_last: Whether all boards stay as they are once these are tuned.
        name: Tells it from other tasks of the same job; empty if it is the only one.
    """

    boards: EqualBoards
    objective: Objective | None = None
    share: float = 1.0
    is_last: bool = True
    name: str = ""


Programme = Generator[Task, Selection, None]


def programme(kinds: Sequence[EqualBoards], objective: Objective | None, hard: bool) -> Programme:
    """Yields what to tune next, and is sent what was chosen. Boards are put back between two tasks.

    Boards of one kind are one task. Boards that differ take every step together, which lasts as long as the slowest
    needs. First the fastest mode within the budget is found for each kind, while all others are in their highest mode:
    a mode that is faster than those is measured as if it were as slow, but no step of this job can be shorter anyway.
    The longest of these steps is the shortest that all boards can keep within their budgets. Then all but the slowest
    kind are tuned for least power in a step as long as that, at the pace at which they will run.

    Args:
        kinds: The boards of each kind.
        objective: What the user asked for.
        hard: See :class:`~lightning_powertrain.tuning.Tuner`.

    Raises:
        PowerTrainError: If boards differ, and the objective is anything but a power budget that is not hard.
    """
    if len(kinds) == 1:
        yield Task(kinds[0])
        return
    if hard or not isinstance(objective, PowerBudget):
        boards = ", ".join(boards.board.key for boards in kinds)
        raise PowerTrainError(
            f'boards that differ ({boards}) are tuned only for a power budget, such as budget="30 W", without hard=True'
        )
    yield from _one_after_the_other(kinds)


def _one_after_the_other(kinds: Sequence[EqualBoards]) -> Programme:
    share = 1 / (2 * len(kinds) - 1)
    fastest: list[Selection] = []
    for boards in kinds:
        _set_others(kinds, boards, [other.modes.mode(len(other.modes) - 1) for other in kinds])
        fastest.append((yield Task(boards, None, share, False, boards.board.key)))
    steps_ms = [_time_ms(selection) for selection in fastest]
    slowest = steps_ms.index(max(steps_ms))
    limit = TimeBudget(_SAME_STEP * steps_ms[slowest])
    chosen = [selection.mode for selection in fastest]
    waiting = [kind for kind in range(len(kinds)) if kind != slowest]
    for kind in waiting:
        _set_others(kinds, kinds[kind], chosen)
        boards = kinds[kind].starting_in(chosen[kind])
        selection = yield Task(boards, limit, share, kind == waiting[-1], boards.board.key)
        chosen[kind] = selection.mode


def _set_others(kinds: Sequence[EqualBoards], but: EqualBoards, modes: Sequence[PowerMode]) -> None:
    for boards, mode in zip(kinds, modes):
        if boards is not but:
            boards.apply(mode)


def _time_ms(selection: Selection) -> float:
    return selection.time_ms if selection.measured is None else selection.measured.time_ms
