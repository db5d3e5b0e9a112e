"""The state of tuning in a checkpoint: plain Python values, since torch refuses to load anything else."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.profiling import Measurement, Profile, Provenance, Signals
from lightning_powertrain.tuning.history import History
from lightning_powertrain.tuning.job_ledger import Spent

_VERSION = 1

# Annotations are text here: what is not one of these is the mode.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "int": int,
    "str": str,
    "bool": bool,
    "float | None": lambda value: None if value is None else float(value),
    "Signals": Signals.from_columns,
}
# Older states lack them.
_LATER: dict[str, Any] = {"temperature_c": None, "signals": {}}


def state_of(
    profile: Profile, board: str, workload: str | None, budget: str, kept: PowerMode | None, spent: Spent | None = None
) -> dict[str, Any]:
    """All that a resumed job needs, as dictionaries, lists, strings and numbers.

    Args:
        profile: The measurements so far.
        board: Fingerprint of the board.
        workload: Fingerprint of the workload; None if it has none.
        budget: The budget, as text.
        kept: The mode that is locked; None before.
        spent: What the job has spent, if its budget is for the whole of it.
    """
    about = profile.provenance
    state = {
        "version": _VERSION,
        # Checkpoints are shared. Digests show whether board and model are equal, and identify neither.
        "board": _digest(board),
        "workload": _digest(workload),
        "budget": budget,
        "kept": None if kept is None else dict(kept),
        "spent": None if spent is None else asdict(spent),
        "about": asdict(about),
        "measurements": [
            {**asdict(each), "mode": dict(each.mode), "signals": each.signals.as_columns()}
            for each in (*profile.measurements, *profile.throttled)
        ],
    }
    # Through JSON: boards of others may count in numpy's numbers, which torch would refuse.
    plain: dict[str, Any] = json.loads(json.dumps(state, default=lambda value: value.item()))
    return plain


def mismatch(state: Mapping[str, Any], board: str, workload: str | None) -> str | None:
    """The difference between the job of a state and this one; None if there is none.

    Raises:
        FileFormatError: If the state is damaged, or of another version.
    """
    try:
        if state["version"] != _VERSION:
            raise ValueError(f"its version is {state['version']!r}, expected {_VERSION}")
        if state["board"] != _digest(board):
            return f"another board ({state['about']['board']})"
        return "another workload" if state["workload"] != _digest(workload) else None
    except Exception as error:  # Anything may stand in a checkpoint.
        raise _damaged(error) from error


def history_from(state: Mapping[str, Any], knobs: tuple[Knob, ...], budget: str) -> History:
    """The history in a state that :func:`state_of` made.

    Args:
        state: The state; of this job, as checked by :func:`mismatch`.
        knobs: Knobs of the board.
        budget: The budget of this job; a mode that was kept for another one is ignored.

    Raises:
        FileFormatError: If the state is damaged.
    """
    try:
        profile = Profile(knobs, _provenance(state["about"])).with_measurements(
            _measurement(each, knobs) for each in state["measurements"]
        )
        kept = None if state["kept"] is None else _mode(state["kept"], knobs)
        finished = kept is not None
        is_same = state["budget"] == budget
        return History(profile, "the checkpoint", finished, kept if is_same else None, _spent(state["spent"]))
    except Exception as error:
        raise _damaged(error) from error


def _spent(values: Mapping[str, Any] | None) -> Spent | None:
    if values is None:
        return None
    spent = Spent(float(values["seconds"]), float(values["joules"]))
    if not (0 <= spent.seconds < math.inf and 0 <= spent.joules < math.inf):
        raise ValueError(f"it has spent {spent}")
    return spent


def _provenance(values: Mapping[str, Any]) -> Provenance:
    about = Provenance(**values)
    is_text = all(isinstance(text, str) for text in (about.board, about.workload))
    if not (is_text and isinstance(about.simulated, bool) and isinstance(about.details, dict)):
        raise TypeError(f"its provenance is {values!r}")
    return about


def _measurement(values: Mapping[str, Any], knobs: tuple[Knob, ...]) -> Measurement:
    plain = {
        column.name: _KINDS[str(column.type)]({**_LATER, **values}[column.name])
        for column in fields(Measurement)
        if column.name != "mode"
    }
    for name in ("time_ms", "power_w"):
        if not 0 < plain[name] < math.inf:
            raise ValueError(f"{name} is {plain[name]}")
    return Measurement(_mode(values["mode"], knobs), **plain)


def _mode(values: Mapping[str, Any], knobs: tuple[Knob, ...]) -> PowerMode:
    return PowerMode(**{knob.name: int(values[knob.name]) for knob in knobs})


def _digest(fingerprint: str | None) -> str | None:
    return None if fingerprint is None else hashlib.sha256(fingerprint.encode()).hexdigest()


def _damaged(error: Exception) -> FileFormatError:
    return FileFormatError(f"the state of power-mode tuning in the checkpoint cannot be read ({error!r})")
