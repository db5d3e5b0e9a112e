"""Which modes to measure, how to measure one, and the profile that results."""

from lightning_powertrain.profiling.profile import Measurement, Profile, Provenance

__all__ = ["Measurement", "Profile", "Provenance"]
