"""Which boards are tuned in which order, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generator

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.distributed.board_group import BoardGroup
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.selection import Budget, ChangingBudget, JobBudget, Objective, Selection, TimeBudget

# Steps that differ by less count as equally long: a measured time has this uncertainty.
_STEP_TOLERANCE = 1.02


@dataclass(frozen=True)
class TuningTask:
    """A group of boards to tune.

    Args:
        boards: The boards, all of the same kind.
        objective: What to optimize; None for the budget of the user.
        share: The part of the user's ``max_share`` that this task may take, from 0 to 1.
        is_last: Whether all boards keep their power modes after this task.
        name: The key of the boards, unique in the job; empty if this is the only task.
    """

    boards: BoardGroup
    objective: Objective | None = None
    share: float = 1.0
    is_last: bool = True
    name: str = ""


TaskSequence = Generator[TuningTask, Selection, None]


def task_sequence(groups: Sequence[BoardGroup], budget: Budget, hard_limit: bool) -> TaskSequence:
    """Yield one task after the other, and receive the selection of each.

    The caller restores the boards of a task before it sends the selection. One group makes one task. Several groups
    take each training step together, and the step is as long as the slowest board needs. Their tasks are:

    1. For each group, find the fastest mode within the budget, while all other groups are in their highest mode. A mode
       that is faster than the other groups is measured as if it were as slow as they are. That does no harm: no step of
       this job can be shorter.
    2. The longest of these steps is the shortest that all boards can keep within their budgets. For each group but the
       slowest, find the mode of least power in a step of that length. The other groups are in the modes found so far,
       so each is measured at the pace of the rest of the job. Where several steps are the longest, only one of these
       groups may really need that long: each is tuned for power, since nothing tells which one it is.

    Args:
        groups: The boards of each kind.
        budget: The budget of the user.
        hard_limit: See :class:`~lightning_powertrain.tuner.Tuner`.

    Raises:
        PowerTrainError: If the budget is for the whole job, or changes. Or if there are several groups, and the budget
            is no power limit or the limit is hard.
    """
    if isinstance(budget, (JobBudget, ChangingBudget)):
        kind = "that changes" if isinstance(budget, ChangingBudget) else "of the whole job"
        raise PowerTrainError(f"a budget {kind} ({budget}) works on one board only, not on several together")
    if len(groups) == 1:
        yield TuningTask(groups[0])
        return
    if hard_limit or not budget.limits_only_power:
        kinds = ", ".join(boards.board.key for boards in groups)
        raise PowerTrainError(
            f"boards of different kinds ({kinds}) can be tuned together only for a power budget: "
            'set budget="30 W" or another limit in watts, without hard_limit=True'
        )
    yield from _tasks_of_several(groups)


def _tasks_of_several(groups: Sequence[BoardGroup]) -> TaskSequence:
    share = 1 / (2 * len(groups))
    highest = [boards.modes.highest for boards in groups]
    fastest: list[Selection] = []
    for boards in groups:
        _apply_to_others(groups, boards, highest)
        fastest.append((yield TuningTask(boards, None, share, False, boards.board.key)))
    steps_ms = [_time_ms(selection) for selection in fastest]
    longest_ms = max(steps_ms)
    limit = TimeBudget(_STEP_TOLERANCE * longest_ms)
    chosen = [selection.mode for selection in fastest]
    slowest = [index for index, step_ms in enumerate(steps_ms) if _STEP_TOLERANCE * step_ms >= longest_ms]
    saving = [index for index in range(len(groups)) if slowest != [index]]
    for index in saving:
        _apply_to_others(groups, groups[index], chosen)
        boards = groups[index].with_start_mode(chosen[index])
        selection = yield TuningTask(boards, limit, share, index == saving[-1], boards.board.key)
        chosen[index] = selection.mode


def _apply_to_others(groups: Sequence[BoardGroup], tuned: BoardGroup, modes: Sequence[PowerMode]) -> None:
    """Set the mode of each group except the one that is tuned next."""
    for boards, mode in zip(groups, modes):
        if boards is not tuned:
            boards.apply(mode)


def _time_ms(selection: Selection) -> float:
    return selection.time_ms if selection.measured is None else selection.measured.time_ms
