"""Boards drawn at random, with physics of their own, to try methods on what nobody tuned them to.

The name ``foreign-7`` is the board of seed 7, in every place that takes the name of a simulated board. The calibrated
boards share neither a formula of these boards nor a parameter, and the predictors do not either.
"""

from lightning_powertrain.simulation.foreign.draw import foreign_board, foreign_physics, foreign_seed
from lightning_powertrain.simulation.foreign.power import rails_at_reference as foreign_rails
from lightning_powertrain.simulation.foreign.silicon import ForeignPhysics
from lightning_powertrain.simulation.foreign.timing import run as foreign_activity

__all__ = [
    "ForeignPhysics",
    "foreign_activity",
    "foreign_board",
    "foreign_physics",
    "foreign_rails",
    "foreign_seed",
]
