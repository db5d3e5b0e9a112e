"""Which modes to measure, how to measure one, and the profile that results."""

from lightning_powertrain.profiling.latin_hypercube import latin_hypercube, latin_hypercube_rows
from lightning_powertrain.profiling.profile import Measurement, Profile, Provenance
from lightning_powertrain.profiling.samplers import random_modes
from lightning_powertrain.profiling.window import Interval, WindowPlan, measure

__all__ = [
    "Interval",
    "Measurement",
    "Profile",
    "Provenance",
    "WindowPlan",
    "latin_hypercube",
    "latin_hypercube_rows",
    "measure",
    "random_modes",
]
