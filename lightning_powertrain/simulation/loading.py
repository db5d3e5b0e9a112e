"""The boards that can be simulated, by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lightning_powertrain.boards import Board, load_board
from lightning_powertrain.errors import ArgumentError, one_of
from lightning_powertrain.simulation import _toml
from lightning_powertrain.simulation.foreign import ForeignPhysics, foreign_board, foreign_physics, foreign_seed
from lightning_powertrain.simulation.physics import BoardPhysics, Cpu, Gpu, Memory, Rail, Supply, Thermal


def simulated_board_names() -> tuple[str, ...]:
    """Keys of the boards of the catalogue that can be simulated, sorted.

    >>> simulated_board_names()
    ('agx-xavier', 'orin-agx-64gb', 'orin-nano-8gb')
    """
    return _toml.names_in("boards")


def simulated_board(name: str) -> Board:
    """A board that can be simulated: one of the catalogue, or ``foreign-SEED`` for one that is drawn at random.

    Raises:
        ArgumentError: If there is no such board.

    >>> simulated_board("foreign-7").title
    'Foreign board 7'
    """
    seed = foreign_seed(name)
    if seed is not None:
        return foreign_board(seed)
    if name not in simulated_board_names():
        raise ArgumentError.of("board", name, f"foreign-SEED, or {one_of(name, simulated_board_names())}")
    return load_board(name)


@lru_cache(maxsize=None)
def load_physics(board: str) -> BoardPhysics | ForeignPhysics:
    """Parameters of the board called ``board``.

    Raises:
        ArgumentError: If that board cannot be simulated.
    """
    seed = foreign_seed(board)
    return _calibrated(board) if seed is None else foreign_physics(seed)


def _calibrated(board: str) -> BoardPhysics:
    table = _toml.read("boards", board, "board")
    return BoardPhysics(
        board=board,
        cpu=Cpu(**_with_supply(table.pop("cpu"))),
        gpu=Gpu(**_with_supply(table.pop("gpu"))),
        memory=Memory(**table.pop("memory")),
        thermal=Thermal(**table.pop("thermal")),
        rails={name: Rail(tuple(rail["feeds"]), rail["step_w"]) for name, rail in table.pop("rails").items()},
        **table,
    )


def _with_supply(domain: dict[str, Any]) -> dict[str, Any]:
    supply = dict(domain.pop("supply"))
    curve = supply.pop("curve_mhz_v")
    clock_mhz, volts = zip(*curve)
    return {**domain, "supply": Supply(clock_mhz, volts, **supply)}
