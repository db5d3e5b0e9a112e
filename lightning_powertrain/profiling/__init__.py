"""Which modes to measure, how to measure one, and the profile that results."""

from lightning_powertrain.profiling.cache import ProfileCache
from lightning_powertrain.profiling.cache_entry import Entry, Key
from lightning_powertrain.profiling.fingerprint import board_fingerprint, canonical, named_fingerprint
from lightning_powertrain.profiling.profile import Measurement, Profile, Provenance, sensor_noise
from lightning_powertrain.profiling.sampling import latin_hypercube, latin_hypercube_rows, random_modes, visiting_order
from lightning_powertrain.profiling.signals import Signals
from lightning_powertrain.profiling.window import UsualPauses, Window, WindowPlan, measure

__all__ = [
    "Entry",
    "Key",
    "Measurement",
    "Profile",
    "ProfileCache",
    "Provenance",
    "Signals",
    "UsualPauses",
    "Window",
    "WindowPlan",
    "board_fingerprint",
    "canonical",
    "latin_hypercube",
    "latin_hypercube_rows",
    "measure",
    "named_fingerprint",
    "random_modes",
    "sensor_noise",
    "visiting_order",
]
