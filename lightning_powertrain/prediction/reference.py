"""A reference: a workload that was profiled thoroughly once, and what was fitted to it, for others to learn from."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Dict

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lightning_powertrain.boards import IntArray, Knob, PowerMode
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.prediction.fitting import Fit, FitErrors, FittedNetworks, fit_networks
from lightning_powertrain.prediction.knob_layout import layout_of
from lightning_powertrain.prediction.networks import TARGETS, Networks, layer_shapes
from lightning_powertrain.prediction.predictor import Prediction
from lightning_powertrain.prediction.reference_model import ReferenceModel
from lightning_powertrain.prediction.samples import Scaler
from lightning_powertrain.prediction.workload_model import WorkloadModel
from lightning_powertrain.profiling import Measurement, Profile, Provenance

_FORMAT = "lightning-powertrain reference 1"

# The rows of a mode differ by noise only, and a reference has thousands of modes: a tenth of the paper's 40 rows does.
# More rows fit the reference better but transfer worse. On simulated profiles of the study grid, as errors of time and
# of power: 16 rows fit ResNet-18 to 2.7 and 2.9 % and transfer to MobileNet, YOLO, BERT and LSTM (50 modes, mean of two
# seeds) at 20.7 and 4.7 %; 4 rows fit to 3.2 and 7.8 % and transfer at 14.9 and 6.1 %.
_ROWS_PER_MODE = 4

# More rows hardly help the grey boxes, as what physics leaves over is smooth, and cost time with every prediction.
_ROWS = 300

_GREY_BOX = "grey_box."
_PROFILE = ("profile.modes", "profile.time_ms", "profile.power_w")

Tensors = Dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Reference:
    """The profile of a reference workload, and what was fitted to it.

    Args:
        profile: The times and powers of the workload, and where they come from.
        seed: Seed of the fits.
        fit: The networks of the paper, and how well they fit.
        grey_boxes: What the default predictor starts from; None in files of earlier versions, whose profile it then
            fits itself.
        details: Anything else worth keeping, as plain JSON values: command, date, grid.
        versions: Versions of the software that fitted it.
    """

    profile: Profile
    seed: int
    fit: Fit
    grey_boxes: ReferenceModel | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """Knobs of the board, in the order of the networks' inputs."""
        return self.profile.knobs

    @property
    def provenance(self) -> Provenance:
        """Where the profile comes from; ``provenance.simulated`` tells whether it was simulated."""
        return self.profile.provenance

    def predict(self, modes: IntArray) -> Prediction:
        """Time and power of the reference workload in ``modes``, shape ``(n, len(knobs))``."""
        time_ms, power_w = self.fit.fitted.predict(modes)
        return Prediction(time_ms, power_w, self.fit.held_out.time, self.fit.held_out.power)

    def save(self, path: str | Path) -> None:
        """Write ``path.safetensors`` (profile and fits) and ``path.json`` (all else, and checksums of both).

        Args:
            path: Name of the two files; a suffix of either is ignored.
        """
        tensors_path, about_path = _files(path)
        tensors_path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {**_to_tensors(self.fit.fitted), **_profile_tensors(self.profile)}
        if self.grey_boxes is not None:
            tensors.update({_GREY_BOX + name: tensor for name, tensor in self.grey_boxes.tensors().items()})
        data = save_tensors(tensors)
        about = self.about()
        about["tensors"] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "shapes": {name: list(tensor.shape) for name, tensor in tensors.items()},
        }
        about["sha256"] = _checksum(about)
        tensors_path.write_bytes(data)
        about_path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    def about(self) -> dict[str, Any]:
        """Everything but profile and fits, as plain JSON values."""
        return {
            "format": _FORMAT,
            "knobs": [{**asdict(knob), "values": list(knob.values)} for knob in self.knobs],
            "provenance": asdict(self.provenance),
            "modes": len(self.profile),
            "seed": self.seed,
            "errors": {"all_modes": asdict(self.fit.all_modes), "held_out": asdict(self.fit.held_out)},
            "details": dict(self.details),
            "versions": dict(self.versions),
        }

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read what :meth:`save` wrote. Nothing is unpickled.

        Args:
            path: Name of the two files, with the suffix of either or none.

        Raises:
            FileFormatError: If a file is missing, damaged, of another version, or not a reference at all.
        """
        tensors_path, about_path = _files(path)
        try:
            about = json.loads(about_path.read_text(encoding="utf-8"))
            data = tensors_path.read_bytes()
            _check(about, data)
            return _from_parts(about, load_tensors(data))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
            reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
            raise FileFormatError(
                f"{path} is not a reference that can be read ({reason}). A reference is two files, "
                f"{tensors_path.name} and {about_path.name}, that belong together, as Reference.save writes them."
            ) from error


def fit_reference(profile: Profile, seed: int = 0, details: Mapping[str, Any] | None = None) -> Reference:
    """Fit the paper's networks, and the default predictor's grey boxes, to the profile of a reference workload.

    Args:
        profile: A thorough profile; the paper's has 4,368 modes.
        seed: Makes the fit reproducible, on the same machine bit for bit.
        details: Anything worth keeping, as plain JSON values: command, date, grid. Nothing is added on its own, so that
            the same call gives the same bytes.

    Raises:
        ArgumentError: If the profile has too few modes, or a time or power that is not a positive number.
    """
    fit = fit_networks(profile, seed, rows_per_mode=_ROWS_PER_MODE)
    return Reference(profile, seed, fit, fit_grey_boxes(profile, seed), details or {}, _versions())


def fit_grey_boxes(profile: Profile, seed: int) -> ReferenceModel:
    """Fit the default predictor's grey boxes to the profile of a reference workload, or to 300 modes of it."""
    layout = layout_of(profile.knobs, profile.modes)
    if len(profile) > _ROWS:
        rows = np.random.default_rng(seed).choice(len(profile), _ROWS, replace=False)
        profile = replace(profile, measurements=tuple(profile.measurements[row] for row in rows))
    return WorkloadModel.fit(profile, layout, seed).learned()


def _versions() -> dict[str, str]:
    packages = ("lightning-powertrain", "torch", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def _files(path: str | Path) -> tuple[Path, Path]:
    name = re.sub(r"\.(safetensors|json)$", "", str(path))
    return Path(f"{name}.safetensors"), Path(f"{name}.json")


def _checksum(about: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in about.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _check(about: Any, data: bytes) -> None:
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise ValueError(f"its format is {found!r}, expected {_FORMAT!r}")
    if about["sha256"] != _checksum(about) or about["tensors"]["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError("a checksum does not match: the two files are damaged or do not belong together")


def _from_parts(about: Mapping[str, Any], tensors: Tensors) -> Reference:
    knobs = tuple(Knob(knob["name"], knob["role"], tuple(knob["values"])) for knob in about["knobs"])
    errors = {name: FitErrors(**values) for name, values in about["errors"].items()}
    profile = _profile_of(knobs, Provenance(**about["provenance"]), tensors, about["modes"])
    return Reference(
        profile=profile,
        seed=about["seed"],
        grey_boxes=_grey_boxes_of(profile, tensors),
        fit=Fit(_from_tensors(tensors, len(knobs)), errors["all_modes"], errors["held_out"]),
        details=about["details"],
        versions=about["versions"],
    )


def _profile_tensors(profile: Profile) -> Tensors:
    return dict(zip(_PROFILE, (profile.modes, profile.time_ms, profile.power_w)))


def _profile_of(knobs: tuple[Knob, ...], provenance: Provenance, tensors: Tensors, count: int) -> Profile:
    """The profile in ``tensors``, which it is taken out of."""
    if not set(_PROFILE) <= set(tensors):
        raise ValueError("its tensors are not those of two networks and a profile")
    modes, time_ms, power_w = (tensors.pop(name) for name in _PROFILE)
    found = [_kind(tensor) for tensor in (modes, time_ms, power_w)]
    if found != [("int64", (count, len(knobs))), ("float64", (count,)), ("float64", (count,))]:
        raise ValueError(f"its profile is not one of {count} modes of {len(knobs)} knobs")
    if not all(np.isfinite(costs).all() and (costs > 0).all() for costs in (time_ms, power_w)):
        raise ValueError("its profile holds a time or power that is not a positive number")
    names = [knob.name for knob in knobs]
    rows = zip(modes.tolist(), time_ms.tolist(), power_w.tolist())
    measurements = (Measurement(PowerMode(**dict(zip(names, mode))), *costs) for mode, *costs in rows)
    return Profile(knobs, provenance, tuple(measurements))


def _grey_boxes_of(profile: Profile, tensors: Tensors) -> ReferenceModel | None:
    """The grey boxes in ``tensors``, which they are taken out of; None if there are none."""
    names = [name for name in tensors if name.startswith(_GREY_BOX)]
    if not names:
        return None
    layout = layout_of(profile.knobs, profile.modes)
    return ReferenceModel.from_tensors(layout, {name[len(_GREY_BOX) :]: tensors.pop(name) for name in names})


def _views(networks: Networks) -> Tensors:
    """Each weight and bias of both networks under its name, as views of ``networks.weights``."""
    views: Tensors = {}
    for layer, (weight, bias) in enumerate(networks.layers()):
        for number, target in enumerate(TARGETS):
            views[f"{target}.{layer}.weight"] = weight[number]
            views[f"{target}.{layer}.bias"] = bias[number, 0]
    return views


def _to_tensors(fitted: FittedNetworks) -> Tensors:
    views = {**_views(fitted.networks), "mean": fitted.scaler.mean, "std": fitted.scaler.std, "floors": fitted.floors}
    return {name: np.ascontiguousarray(view) for name, view in views.items()}


def _from_tensors(tensors: Tensors, knobs: int) -> FittedNetworks:
    fitted = FittedNetworks(Networks.zero(knobs), Scaler(np.zeros(knobs), np.ones(knobs)), np.zeros(len(TARGETS)))
    expected = _to_tensors(fitted)
    if {name: _kind(tensor) for name, tensor in tensors.items()} != {
        name: _kind(tensor) for name, tensor in expected.items()
    }:
        raise ValueError(f"its tensors are not those of two networks of layers {layer_shapes(knobs)}")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError("it holds numbers that are not finite")
    for name, view in _views(fitted.networks).items():
        view[...] = tensors[name]
    if not ((tensors["std"] > 0).all() and (tensors["floors"] > 0).all()):
        raise ValueError("a standard deviation or a floor is not positive")
    return FittedNetworks(fitted.networks, Scaler(tensors["mean"], tensors["std"]), tensors["floors"])


def _kind(tensor: npt.NDArray[Any]) -> tuple[str, tuple[int, ...]]:
    return str(tensor.dtype), tensor.shape
