"""Board physics and workloads, for a board that is not there.

:mod:`~lightning_powertrain.simulation.probe` stands apart: it alone needs torch.
"""

from lightning_powertrain.simulation.busy import Busy
from lightning_powertrain.simulation.loading import load_physics, simulated_board, simulated_board_names
from lightning_powertrain.simulation.network import KernelGroup
from lightning_powertrain.simulation.pace import Pace
from lightning_powertrain.simulation.physics import REFERENCE_C, BoardPhysics
from lightning_powertrain.simulation.sensing import FILTER_S, Draw, SlowState
from lightning_powertrain.simulation.steady import ROOM_C, SteadyState, steady_state
from lightning_powertrain.simulation.workload import Workload, inference, load_workload, workload_names

__all__ = [
    "FILTER_S",
    "REFERENCE_C",
    "ROOM_C",
    "BoardPhysics",
    "Busy",
    "Draw",
    "KernelGroup",
    "Pace",
    "SlowState",
    "SteadyState",
    "Workload",
    "inference",
    "load_physics",
    "load_workload",
    "simulated_board",
    "simulated_board_names",
    "steady_state",
    "workload_names",
]
