"""Searches of others for the fastest mode within a power limit, without a reference and without physics.

Each one is a function of an :class:`Attempt`: it measures modes until none is left that it would measure, or until it
may measure no more. The fastest mode is kept that was measured within the limit, by the rule that holds for tuned jobs.
Settings are the best of those tried on boards that no table shows: ``foreign-101`` to ``foreign-103``, MobileNetV3 and
LSTM, four limits and two seeds each.
"""

from lightning_powertrain.evaluation.rivals.attempt import Attempt, MeasuredBoard, Rival
from lightning_powertrain.evaluation.rivals.bayesian import constrained_bayesian
from lightning_powertrain.evaluation.rivals.climbing import hill_climbing
from lightning_powertrain.evaluation.rivals.coral import correlation_search
from lightning_powertrain.evaluation.rivals.fulcrum import slope_search

__all__ = [
    "Attempt",
    "MeasuredBoard",
    "Rival",
    "constrained_bayesian",
    "correlation_search",
    "hill_climbing",
    "slope_search",
]
