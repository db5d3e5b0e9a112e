"""``powertrain estimate``: says whether tuning is worth it, and sets nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.terminal import print_line

if TYPE_CHECKING:
    from lightning_powertrain.boards import ModeSpace, PowerMode
    from lightning_powertrain.prediction import ReferenceProfile
    from lightning_powertrain.profiling import Profile
    from lightning_powertrain.tuning.config import TuningConfig
    from lightning_powertrain.tuning.estimate import Estimate

_ROOT = Path("/")
# As many modes as a tuned job measures, so that the predictor is about as accurate as there.
_LEARNED = 50
# Minibatches that a data loader keeps ready: four workers, two each.
_PREFETCHED = 8
# How long a power sensor needs to settle after a change of modes, at NVIDIA's settings.
_SETTLE_S = 2.0


@dataclass(frozen=True)
class _Place:
    """The board that the estimate is for.

    Args:
        key: Its key in the catalogue.
        space: Its modes.
        start: The mode that a job would start in.
        start_name: What that is called.
        is_here: Whether this runs on it.
    """

    key: str
    space: ModeSpace
    start: PowerMode
    start_name: str
    is_here: bool = False


def estimate(
    board: Annotated[Optional[str], typer.Option(help="Key of a board; default: the one that this runs on.")] = None,
    budget: Annotated[str, typer.Option(help='"30 W", "120 ms", "5 % slower", energy, edp, or none.')] = "none",
    minutes: Annotated[Optional[float], typer.Option(min=0.1, help="Length of the job in the start mode.")] = None,
    workload: Annotated[
        Optional[str], typer.Option(help="Name in `powertrain cache list`; default: the newest of the board.")
    ] = None,
    reference: Annotated[
        str, typer.Option(help="Reference for a workload that is not in the cache: bundled name or path.")
    ] = "orin-agx-64gb-resnet18",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Estimate how long profiling would take, and what tuning would gain. Set nothing, measure nothing."""
    from lightning_powertrain.reporting.estimate_text import estimate_lines, estimate_record

    place = _here() if board is None else _catalogued(board)
    goal = None if budget == "none" else budget
    known = _cached(place, workload)
    if known is not None:
        origin, place, found = _from_cache(known, place, goal, minutes)
    else:
        origin, found = _from_reference(reference, place, goal, minutes)
    if as_json:
        record = {"board": place.key, "from": origin, **estimate_record(found, minutes)}
        typer.echo(json.dumps(record, indent=2))
        return
    for line in (origin, *estimate_lines(found, place.start_name, minutes)):
        print_line(line)


def _here() -> _Place:
    from lightning_powertrain.boards import board_names
    from lightning_powertrain.devices.opening import open_to_read
    from lightning_powertrain.devices.sysfs_board import is_jetson

    if not is_jetson(_ROOT):
        names = ", ".join(board_names())
        raise ArgumentError(f"--board=NAME is missing, since this is not a Jetson. Allowed: one of {names}.")
    device = open_to_read(_ROOT)
    try:
        return _Place(device.board.key, device.modes, device.current_mode(), "as the board is", is_here=True)
    finally:
        device.close()


def _catalogued(key: str) -> _Place:
    from lightning_powertrain.boards import load_board

    board = load_board(key)
    if not board.default_preset:
        return _Place(key, board.modes, board.modes.highest, "MAXN")
    return _Place(key, board.modes, board.preset(board.default_preset), board.default_preset)


def _cached(place: _Place, workload: str | None) -> Profile | None:
    """The newest profile of the workload on this kind of board, measured ones first; None if there is none."""
    from lightning_powertrain.profiling import ProfileCache

    profiles = [
        entry.profile
        for entry in ProfileCache().entries()
        if entry.profile is not None
        and entry.profile.provenance.board == place.key
        and entry.profile.measurements
        and {knob.name for knob in entry.profile.knobs} == set(place.space.names)
        and (workload is None or entry.profile.provenance.workload == workload)
        and not (place.is_here and entry.profile.provenance.simulated)
    ]
    return min(profiles, key=lambda profile: profile.provenance.simulated, default=None)


def _from_cache(
    profile: Profile, place: _Place, budget: str | None, minutes: float | None
) -> tuple[str, _Place, Estimate]:
    from lightning_powertrain.profiling import WindowPlan
    from lightning_powertrain.tuning import ProfilingOptions
    from lightning_powertrain.tuning.estimate import estimate_known

    about = profile.provenance
    starts = [each for each in profile.measurements if each.mode == place.start]
    if not starts:  # The first measured mode is the one in which the earlier job started.
        place = replace(place, start_name="as the earlier job")
    how = "SIMULATED" if about.simulated else "measured"
    origin = (
        f"{about.workload} on {about.board}, from the cache of profiles: {len(profile)} power modes of an earlier job "
        f"({about.details.get('date', 'of unknown date')}), {how}."
    )
    config = _config(budget, place, ProfilingOptions())
    window = WindowPlan(_PREFETCHED, _SETTLE_S)
    start = starts[-1] if starts else profile.measurements[0]
    return origin, place, estimate_known(profile, start, config, window, minutes)


def _from_reference(name: str, place: _Place, budget: str | None, minutes: float | None) -> tuple[str, Estimate]:
    from lightning_powertrain.prediction import GreyBoxTransfer, load_reference
    from lightning_powertrain.profiling import WindowPlan, latin_hypercube_rows
    from lightning_powertrain.tuning import ProfilingOptions
    from lightning_powertrain.tuning.estimate import estimate_unknown

    found = load_reference(name)
    _check_board(found, place)
    rows = latin_hypercube_rows(found.profile.modes, min(_LEARNED, len(found.profile)), seed=0)
    learned = replace(found.profile, measurements=tuple(found.profile.measurements[row] for row in rows))
    about = found.provenance
    how = "is SIMULATED: no board has measured it" if about.simulated else "was measured"
    origin = (
        f"The profile cache has no profile of this workload. All figures are those of the reference {name}: "
        f"{about.workload} on {about.board}, which {how}. The figures of another workload differ."
    )
    config = _config(budget, place, ProfilingOptions(predictor=GreyBoxTransfer(found)))
    window = WindowPlan(_PREFETCHED, _SETTLE_S)
    return origin, estimate_unknown(learned, place.space, place.start, config, window, minutes)


def _check_board(reference: ReferenceProfile, place: _Place) -> None:
    """A reference predicts the power of its own kind of board only, whose tables may differ."""
    from lightning_powertrain.boards import board_names, load_board

    of_reference, keys = reference.provenance.board, set(board_names())
    if place.key == of_reference:
        return
    if {place.key, of_reference} <= keys:
        same = set(load_board(place.key).compatible) & set(load_board(of_reference).compatible)
        if same and place.space.names == tuple(knob.name for knob in reference.knobs):
            return
    raise ArgumentError(
        f"no profile of {place.key} is in the cache, and the reference is of {of_reference}. Tune one job on that "
        "board, or give another reference by --reference=PATH; `powertrain reference fit` makes one"
    )


def _config(budget: str | None, place: _Place, options: object) -> TuningConfig:
    from lightning_powertrain.tuning.config import TuningConfig

    return TuningConfig.checked(budget, None, 0.1, False, False, options, len(place.space))  # type: ignore[arg-type]
