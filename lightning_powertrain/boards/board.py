"""What is known of a board before it is asked: its tables, stock presets, rails and identity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from lightning_powertrain.boards.knobs import Knob
from lightning_powertrain.boards.modes import ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError, UnknownTableError


@dataclass(frozen=True)
class Preset:
    """A stock mode of the vendor's ``nvpmodel``: caps for some knobs.

    Args:
        name: Name in nvpmodel, such as ``MODE_30W``.
        id: Number in nvpmodel.
        caps: Highest value per knob; a knob that is absent is not limited.
        tpc_pg_mask: Mask of GPU clusters without power, for information: this library never writes it.
    """

    name: str
    id: int
    caps: Mapping[str, int] = field(default_factory=dict)
    tpc_pg_mask: int | None = None


@dataclass(frozen=True)
class Board:
    """A kind of Jetson.

    Args:
        key: Name in the catalogue, such as ``orin-agx-64gb``.
        title: Name for people.
        knobs: Its knobs; one whose table nobody has published has no values.
        presets: Its stock modes.
        default_preset: Name of the preset in which it boots.
        rails: Names of the module's own power rails; empty if it has no power sensor.
        total: The rail that carries the whole module, or ``"sum"`` where all rails must be added.
        gpu_clusters: How many GPU clusters (TPCs) the module has; None if not known.
        compatible: BaseDevice-tree identification strings, such as ``p3701-0005``.
        grids: Named subsets of the modes: for each, the values of each knob.
        identity: What distinguishes this board, and its software, from others of its kind; empty in the catalogue.
    """

    key: str
    title: str
    knobs: tuple[Knob, ...]
    presets: tuple[Preset, ...] = ()
    default_preset: str = ""
    rails: tuple[str, ...] = ()
    total: str = "sum"
    gpu_clusters: int | None = None
    compatible: tuple[str, ...] = ()
    grids: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def unknown_knobs(self) -> tuple[str, ...]:
        """Names of the knobs whose tables can only be read on the board itself."""
        return tuple(knob.name for knob in self.knobs if not knob.values)

    @property
    def modes(self) -> ModeSpace:
        """All power modes.

        Raises:
            UnknownTableError: If a table is not in the catalogue.
        """
        if self.unknown_knobs or not self.knobs:
            missing = ", ".join(self.unknown_knobs) or "all knobs"
            raise UnknownTableError(f"the catalogue has no table of {self.title} for: {missing}. The board itself has.")
        return ModeSpace(self.knobs)

    def grid(self, name: str) -> ModeSpace:
        """A named subset of the modes, such as the paper's ``study`` grid.

        Raises:
            ArgumentError: If the board has no grid of that name.
        """
        if name not in self.grids:
            raise ArgumentError.of("grid", name, _one_of(self.grids, self.key))
        return self.modes.subset(self.grids[name])

    def preset(self, name: str) -> PowerMode:
        """The mode that a stock preset caps this board to, as the kernel rounds it.

        Raises:
            ArgumentError: If the board has no preset of that name.
        """
        for preset in self.presets:
            if preset.name == name:
                return self.modes.at_most(preset.caps)
        raise ArgumentError.of("preset", name, _one_of([preset.name for preset in self.presets], self.key))


def _one_of(names: Collection[str], board: str) -> str:
    return f"one of {', '.join(names)}" if names else f"none for {board}"
