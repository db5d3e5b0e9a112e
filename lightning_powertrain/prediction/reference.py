"""Reference profiles: what a workload costs that was profiled thoroughly once, and what was fitted to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.prediction.knob_layout import layout_of
from lightning_powertrain.prediction.predictor import check_profile
from lightning_powertrain.prediction.reference_model import ReferenceModel
from lightning_powertrain.prediction.tensor_files import (
    Tensors,
    bundled_names,
    bundled_path,
    knobs_of,
    load_files,
    save_files,
    shapes_of,
    software_versions,
)
from lightning_powertrain.prediction.workload_model import WorkloadModel
from lightning_powertrain.profiling import Measurement, Profile, Provenance

MINIMUM_MODES = 10
"""Fewer modes are no reference. The experiments of the paper start at 10 as well (arXiv 2407.13944)."""

DEFAULT_REFERENCE = "orin-agx-64gb-resnet18"
"""The bundled reference from which predictions start unless another is given."""

# More modes hardly help the grey boxes, as what physics leaves over is smooth, and cost time with every prediction.
_FITTED_MODES = 300

_KIND = "reference"
_FOLDER = Path(__file__).parent / "references"
_GREY_BOX = "grey_box."
_PROFILE = ("profile.modes", "profile.time_ms", "profile.power_w")


@dataclass(frozen=True, eq=False)
class ReferenceProfile:
    """The profile of a reference workload, and the model that was fitted to it.

    Args:
        profile: The times and powers of the workload, and where they come from.
        seed: Seed of the fit.
        model: What :class:`GreyBoxTransfer` starts from.
        time_error: Mean relative error of the time in each mode that was fitted, as predicted from all others.
        power_error: Likewise of the power.
        details: Anything else worth keeping, as plain JSON values: command, date, grid.
        versions: Versions of the software that fitted it.
    """

    profile: Profile
    seed: int
    model: ReferenceModel
    time_error: float
    power_error: float
    details: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """Knobs of the board."""
        return self.profile.knobs

    @property
    def provenance(self) -> Provenance:
        """Where the profile comes from; ``provenance.simulated`` says whether it was simulated."""
        return self.profile.provenance

    def save(self, path: str | Path) -> None:
        """Write ``path.safetensors`` (profile and model) and ``path.json`` (all else, and checksums of both).

        Args:
            path: Name of the two files; a suffix of either is ignored.
        """
        profile = self.profile
        tensors: Tensors = dict(zip(_PROFILE, (profile.modes, profile.time_ms, profile.power_w)))
        tensors.update({_GREY_BOX + name: tensor for name, tensor in self.model.tensors().items()})
        save_files(path, _KIND, self.about(), tensors)

    def about(self) -> dict[str, Any]:
        """Everything but profile and model, as plain JSON values."""
        return {
            "knobs": [{**asdict(knob), "values": list(knob.values)} for knob in self.knobs],
            "provenance": asdict(self.provenance),
            "modes": len(self.profile),
            "seed": self.seed,
            "errors": {"time": self.time_error, "power": self.power_error},
            "details": dict(self.details),
            "versions": dict(self.versions),
        }

    @classmethod
    def load(cls, path: str | Path) -> ReferenceProfile:
        """Read what :meth:`save` wrote. Nothing is unpickled.

        Args:
            path: Name of the two files, with the suffix of either or none.

        Raises:
            FileFormatError: If a file is missing, damaged, of another version, or not a reference at all.
        """
        return load_files(path, _KIND, cls._from_parts)

    @classmethod
    def _from_parts(cls, about: Mapping[str, Any], tensors: Tensors) -> ReferenceProfile:
        profile = _profile_of(knobs_of(about), Provenance(**about["provenance"]), tensors, about["modes"])
        model = {name[len(_GREY_BOX) :]: tensor for name, tensor in tensors.items() if name.startswith(_GREY_BOX)}
        if len(model) + len(_PROFILE) != len(tensors):
            raise ValueError("it holds other tensors than those of a profile and of a model")
        return cls(
            profile=profile,
            seed=about["seed"],
            model=ReferenceModel.from_tensors(layout_of(profile.knobs, profile.modes), model),
            time_error=about["errors"]["time"],
            power_error=about["errors"]["power"],
            details=about["details"],
            versions=about["versions"],
        )


def reference_names() -> tuple[str, ...]:
    """Names of all bundled references, sorted."""
    return bundled_names(_FOLDER)


def load_reference(name: str | Path) -> ReferenceProfile:
    """A bundled reference by its name, or any other by its path.

    Args:
        name: A bundled name, such as ``orin-agx-64gb-resnet18``; or a path: a :class:`~pathlib.Path`, or a string that
            holds a separator or ends in ``.json`` or ``.safetensors``. A path that ends in ``.csv`` is that of a
            profile, to which a reference is fitted.

    Raises:
        ArgumentError: If it is a name, and there is no such reference; or if a profile has too few modes.
        FileFormatError: If a file is missing, damaged, of another version, or not a reference at all.

    >>> load_reference("orin-agx-64gb-resnet18").provenance.simulated
    True
    """
    if str(name).endswith(".csv"):
        return fit_reference(Profile.load(name))
    return ReferenceProfile.load(bundled_path(name, _FOLDER, "reference"))


def fit_reference(profile: Profile, seed: int = 0, details: Mapping[str, Any] | None = None) -> ReferenceProfile:
    """Fit the model from which the default predictor starts to the profile of a reference workload.

    Args:
        profile: A thorough profile: a few hundred modes or more, spread over the board.
        seed: Makes the fit reproducible, on the same machine bit for bit.
        details: Anything worth keeping, as plain JSON values: command, date, grid. Nothing is added on its own, so that
            the same call gives the same bytes.

    Raises:
        ArgumentError: If the profile has too few modes, or a time or power that is not a positive number.
    """
    check_profile(profile, MINIMUM_MODES)
    model = fit_reference_model(profile, seed)
    assert model.power is not None
    return ReferenceProfile(
        profile=profile,
        seed=seed,
        model=model.as_reference(),
        time_error=model.time.error,
        power_error=model.power.error,
        details=details or {},
        versions=software_versions(),
    )


def fit_reference_model(profile: Profile, seed: int) -> WorkloadModel:
    """Fit the default predictor's grey boxes to the profile of a reference workload, or to 300 modes of it."""
    layout = layout_of(profile.knobs, profile.modes)
    if len(profile) > _FITTED_MODES:
        rows = np.random.default_rng(seed).choice(len(profile), _FITTED_MODES, replace=False)
        profile = replace(profile, measurements=tuple(profile.measurements[row] for row in rows))
    return WorkloadModel.fit(profile, layout, seed)


def _profile_of(knobs: tuple[Knob, ...], provenance: Provenance, tensors: Tensors, count: int) -> Profile:
    if not set(_PROFILE) <= set(tensors):
        raise ValueError("its tensors are not those of a profile")
    modes, time_ms, power_w = (tensors[name] for name in _PROFILE)
    kinds = ("int64", (count, len(knobs))), ("float64", (count,)), ("float64", (count,))
    if shapes_of({name: tensors[name] for name in _PROFILE}) != dict(zip(_PROFILE, kinds)):
        raise ValueError(f"its profile is not one of {count} modes of {len(knobs)} knobs")
    if not ((time_ms > 0).all() and (power_w > 0).all()):
        raise ValueError("its profile holds a time or power that is not a positive number")
    names = [knob.name for knob in knobs]
    rows = zip(modes.tolist(), time_ms.tolist(), power_w.tolist())
    measurements = (Measurement(PowerMode(**dict(zip(names, mode))), *costs) for mode, *costs in rows)
    return Profile(knobs, provenance, tuple(measurements))
