"""Saved energy as tables and in a sentence: medians, with the least and the most over boards, workloads and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from rich.table import Table

from lightning_powertrain.evaluation.energy import HIGHEST, Saved
from lightning_powertrain.simulation.foreign import foreign_seed

_DRAWN = "boards drawn at random"
_HEADLINE = 3.0


def energy_tables(runs: Sequence[Saved]) -> list[Table]:
    """Two tables for each kind of board: by the mode that jobs started in, and by workload.

    The second one has the jobs that started in the highest mode and may be 3 % slower.
    """
    tables = []
    for boards, some in _grouped(runs, _boards):
        by_start = _table(f"Less energy than in the mode that the job started in, %; {boards}", ("start", "allowed"))
        for start, those in _grouped(some, lambda run: run.start):
            for allowed, jobs in _grouped(those, lambda run: f"{run.allowed:g} %"):
                by_start.add_row(start, allowed, *_figures(jobs))
        by_workload = _table(f"The same by workload: from the highest mode, {_HEADLINE:g} % allowed", ("workload",))
        for workload, jobs in _grouped(_of_headline(some), lambda run: run.workload):
            by_workload.add_row(workload, *_figures(jobs))
        tables += [by_start, by_workload]
    return tables


def sentence(runs: Sequence[Saved]) -> str:
    """The result in a sentence for each kind of board; empty without jobs that start in the highest mode."""
    sentences = []
    for boards, some in _grouped(_of_headline(runs), _boards):
        where = f"{len({run.board for run in some})} simulated {boards}" if boards == _DRAWN else f"simulated {boards}"
        saved, slower = [run.energy for run in some], [run.slower for run in some]
        oracle = np.median([run.oracle for run in some])
        sentences.append(
            f"{min(saved):.0f} to {max(saved):.0f} % less energy per minibatch (median {np.median(saved):.0f} %, "
            f"oracle {oracle:.0f} %) than in the highest mode, for at most {max(slower):.1f} % more time "
            f"(median {np.median(slower):.1f} %), on {where}; {len(some)} jobs, "
            f"{len({run.workload for run in some})} workloads."
        )
    return "\n".join(sentences)


def untuned(runs: Sequence[Saved]) -> str:
    """How many jobs stayed in the mode that they started in because tuning stopped, or never began."""
    count = sum(not run.tuned for run in runs)
    return f"{count} of {len(runs)} jobs were not tuned, and stayed in the mode that they started in."


def _of_headline(runs: Iterable[Saved]) -> list[Saved]:
    return [run for run in runs if run.start == HIGHEST and run.allowed == _HEADLINE]


def _boards(run: Saved) -> str:
    return run.board if foreign_seed(run.board) is None else _DRAWN


def _grouped(runs: Iterable[Saved], key: Callable[[Saved], str]) -> Iterable[tuple[str, list[Saved]]]:
    groups: dict[str, list[Saved]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups.items()


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, box=None, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    for column in columns:
        table.add_column(column, no_wrap=True)
    for column in ("jobs", "oracle", "tuned", "slower, %", "whole job", "longer, %"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _figures(runs: Sequence[Saved]) -> tuple[str, ...]:
    return (
        str(len(runs)),
        _spread([run.oracle for run in runs], 0),
        _spread([run.energy for run in runs], 0),
        _spread([run.slower for run in runs], 1),
        _spread([run.job_energy for run in runs], 0),
        _spread([run.job_slower for run in runs], 1),
    )


def _spread(values: Sequence[float], digits: int) -> str:
    """The median, and the least and the most.

    >>> _spread([12.4, 30.2, 8.0], 0)
    '12 [8..30]'
    """
    middle, least, most = (f"{value:.{digits}f}" for value in (np.median(values), min(values), max(values)))
    return f"{middle} [{least}..{most}]"
