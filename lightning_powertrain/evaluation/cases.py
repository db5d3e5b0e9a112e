"""What methods are tried on: a workload whose time and power are known in every mode."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from lightning_powertrain.boards import Board, IntArray, Knob, PowerMode, Role
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.evaluation.ground_truth import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, ReferenceProfile, load_reference, reference_names
from lightning_powertrain.prediction.baselines import PaperNetworks, fit_paper_networks
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.simulation import simulated_board

_SCATTER_SEED = 1
_REFERENCE_SEED = 2
_PAPERS_GRID = "study"


@dataclass(frozen=True, eq=False)
class ReferenceWorkload:
    """A reference workload as each kind of predictor needs it.

    Args:
        profile: Its profile.
        studied: Its profile as the paper's networks are fitted to it; None for the same.
        bundled: The same with what was fitted to it, as jobs use it; None if it is not bundled.
    """

    profile: Profile
    studied: Profile | None = None
    bundled: ReferenceProfile | None = None
    _predictors: dict[int, GreyBoxTransfer] = field(default_factory=dict, init=False, repr=False)

    def predictor(self, seed: int) -> GreyBoxTransfer:
        """The default predictor that starts from it; what is fitted to the reference itself is fitted once a seed."""
        if seed not in self._predictors:
            predictor = GreyBoxTransfer(self.bundled or self.profile, seed)
            predictor.reference_time_ms(self.profile.modes[:1])
            self._predictors[seed] = predictor
        return copy(self._predictors[seed])

    @cached_property
    def networks(self) -> PaperNetworks:
        """The paper's networks, fitted once, which takes about a minute; a power that is not known is taken for 1 W."""
        return fit_paper_networks(with_power(self.profile if self.studied is None else self.studied))


def with_power(profile: Profile) -> Profile:
    """A profile whose power is 1 W where it is not known, for predictors that cannot do without."""
    rows = (row if math.isfinite(row.power_w) else replace(row, power_w=1.0) for row in profile.measurements)
    return replace(profile, measurements=tuple(rows))


@dataclass(frozen=True, eq=False)
class Case:
    """A workload to be predicted.

    Args:
        truth: What a method is judged by, in every mode.
        measured: What measuring each of these modes would give, row by row; the truth itself where data is replayed.
        reference: The reference workload; None to do without.
        presets: The board's stock modes as measured, and what they truly cost; None where the board has none.
        start: Name of the reference, where cases differ in it; else empty.
    """

    truth: Profile
    measured: Profile
    reference: ReferenceWorkload | None = None
    presets: tuple[Profile, Profile] | None = None
    start: str = ""

    @property
    def board(self) -> str:
        """Key of the board."""
        return self.truth.provenance.board

    @property
    def name(self) -> str:
        """Name of the workload."""
        return self.truth.provenance.workload

    @property
    def simulated(self) -> bool:
        """Whether it is simulated; otherwise it was recorded on a board."""
        return self.truth.provenance.simulated

    @cached_property
    def has_power(self) -> bool:
        """Whether power is known, without which nothing can be chosen."""
        return all(math.isfinite(measurement.power_w) for measurement in self.truth.measurements)


def simulated_cases(
    board: str, workloads: Sequence[str], references: Mapping[str, str | None], grid: str | None
) -> list[Case]:
    """Workloads on a simulated board, each transferred from every reference.

    Args:
        board: Name of a board that can be simulated.
        workloads: Names of workloads.
        references: Names of reference workloads on the same board, ``BOARD:WORKLOAD`` for one on another, or names of
            bundled references, by what to call them; None to do without. A workload is no case where it is its own
            reference among several.
        grid: A named grid of the board, such as the paper's ``study``; None for all its modes.

    Raises:
        ArgumentError: If a board, a workload or the grid does not exist.
    """
    known = simulated_board(board)
    modes = (known.modes if grid is None else known.grid(grid)).array
    starts = [
        (title, name, None if name is None else _simulated_reference(known, name, modes))
        for title, name in references.items()
    ]
    return [
        replace(case, reference=start, start=title if len(starts) > 1 else "")
        for case in [_case(known, workload, modes) for workload in workloads]
        for title, name, start in starts
        if len(starts) == 1 or name != case.name
    ]


def _case(board: Board, workload: str, modes: IntArray) -> Case:
    return Case(
        truth=simulated_profile(board, workload, modes),
        measured=simulated_profile(board, workload, modes, _SCATTER_SEED, with_signals=True),
        presets=_presets(board, workload),
    )


def _simulated_reference(board: Board, name: str, modes: IntArray) -> ReferenceWorkload:
    """A bundled reference is drawn from all modes of its board; the paper's networks come from the paper's grid."""
    bundled = load_reference(name) if name in reference_names() else None
    home_name, colon, workload = name.rpartition(":")
    home = simulated_board(bundled.provenance.board if bundled else home_name if colon else board.key)
    grid = home.grid(_PAPERS_GRID).array if _PAPERS_GRID in home.grids else None
    if bundled is not None:
        profile, workload = bundled.profile, bundled.provenance.workload
    else:
        elsewhere = home.modes.array if grid is None else grid
        profile = simulated_profile(home, workload, elsewhere if colon else modes, _REFERENCE_SEED)
    studied = None if grid is None else simulated_profile(home, workload, grid, _REFERENCE_SEED)
    return ReferenceWorkload(profile, studied, bundled)


def whole_gpu_presets(board: Board) -> dict[str, PowerMode]:
    """The stock modes that leave the whole GPU on, by name: the simulation has no boards with a part of it.

    >>> list(whole_gpu_presets(simulated_board("orin-agx-64gb")))
    ['MAXN', 'MODE_50W']
    """
    off = {preset.name: bin(preset.tpc_pg_mask or 0).count("1") for preset in board.presets}
    return {name: board.preset(name) for name, clusters in off.items() if clusters == min(off.values())}


def _presets(board: Board, workload: str) -> tuple[Profile, Profile]:
    modes = board.modes.rows(dict.fromkeys(whole_gpu_presets(board).values()))
    return simulated_profile(board, workload, modes, _SCATTER_SEED), simulated_profile(board, workload, modes)


@dataclass(frozen=True)
class Columns:
    """Which column of a file means what.

    Args:
        knobs: Columns of knobs; ``name:role`` where the role does not follow from the name.
        time: Column of times, in any unit.
        power: Column of powers in watts; None if there is none.
        workload: Columns that name the workload, such as its board and its own name; empty if there is only one.
    """

    knobs: tuple[str, ...]
    time: str
    power: str | None = None
    workload: tuple[str, ...] = ()


def recorded_cases(path: Path, columns: Columns, reference: str | None) -> list[Case]:
    """Workloads of a recorded data set, each transferred from one of them.

    Args:
        path: A CSV file with a header, one row a mode and workload.
        columns: What its columns mean.
        reference: The workload that serves as reference and is not itself a case; None to do without.

    Raises:
        ArgumentError: If a column or the reference does not exist.
        FileFormatError: If the file cannot be read.
    """
    profiles = read_profiles(path, columns)
    if reference is not None and reference not in profiles:
        raise ArgumentError.of("--reference", reference, f"one of {', '.join(profiles)}")
    known = None if reference is None else ReferenceWorkload(profiles[reference])
    return [Case(profile, profile, known) for name, profile in profiles.items() if name != reference]


def read_profiles(path: Path, columns: Columns) -> dict[str, Profile]:
    """The profile of each workload of a file; power is NaN if it has none.

    Raises:
        ArgumentError: If a column does not exist.
        FileFormatError: If the file cannot be read.
    """
    roles = dict(_name_and_role(knob) for knob in columns.knobs)
    wanted = [*roles, columns.time, *columns.workload, *filter(None, [columns.power])]
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            missing = [name for name in wanted if name not in header]
            if missing:
                raise ArgumentError.of("column", missing[0], f"one of {', '.join(header)}")
            rows = list(reader)
            tables = {name: tuple(sorted({int(row[name]) for row in rows})) for name in roles}
            knobs = tuple(Knob(name, role, tables[name]) for name, role in roles.items())
            measurements: dict[str, dict[PowerMode, Measurement]] = {}
            for row in rows:
                mode = PowerMode(**{name: int(row[name]) for name in roles})
                watts = float(row[columns.power]) if columns.power else math.nan
                workload = "/".join(row[name] for name in columns.workload) or path.stem
                measurements.setdefault(workload, {})[mode] = Measurement(mode, float(row[columns.time]), watts)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise FileFormatError(f"{path} cannot be read as a data set ({error}).") from error
    return {
        workload: Profile(knobs, Provenance("recorded", workload, False, {"file": path.name}), tuple(known.values()))
        for workload, known in measurements.items()
    }


def _name_and_role(knob: str) -> tuple[str, Role]:
    """Name and role of a knob, the role taken from the name unless it is given.

    >>> _name_and_role("a57_khz"), _name_and_role("batch_size"), _name_and_role("clock:gpu")
    (('a57_khz', 'cpu'), ('batch_size', 'other'), ('clock', 'gpu'))
    """
    name, _, role = knob.partition(":")
    if role:
        return name, Knob(name, role).role  # type: ignore[arg-type]
    if name.endswith("cores"):
        return name, "cores"
    if name.startswith("gpu"):
        return name, "gpu"
    if name.startswith(("emc", "mem")):
        return name, "emc"
    return name, "cpu" if name.startswith("cpu") or name.endswith("_khz") else "other"
