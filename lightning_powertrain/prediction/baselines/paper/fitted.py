"""The networks of the paper once they are fitted: what they predict, and their two files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.prediction.baselines.paper.networks import HIDDEN, NetworkPair
from lightning_powertrain.prediction.predictor import FloatArray, Prediction
from lightning_powertrain.prediction.tensor_files import (
    Tensors,
    bundled_path,
    knobs_of,
    load_files,
    save_files,
    shapes_of,
)
from lightning_powertrain.profiling import Provenance

_KIND = "paper networks"
_FOLDER = Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class FitErrors:
    """Mean absolute percentage errors, as fractions.

    Args:
        time: Of the times.
        power: Of the powers.
    """

    time: float
    power: float


@dataclass(frozen=True, eq=False)
class PaperNetworks:
    """The two networks of the paper, fitted to the profile of a workload.

    Args:
        knobs: Knobs of the board, in the order of the networks' inputs.
        provenance: Where the profile comes from; ``provenance.simulated`` says whether it was simulated.
        networks: The networks.
        all_modes: Errors on every mode of the profile.
        held_out: Errors on the modes that chose the epoch: a fifth that was not learned from, or all modes.
        details: Anything else worth keeping, as plain JSON values: seed, command, date, grid.
        versions: Versions of the software that fitted them.
    """

    knobs: tuple[Knob, ...]
    provenance: Provenance
    networks: NetworkPair
    all_modes: FitErrors
    held_out: FitErrors
    details: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def predict(self, modes: IntArray) -> Prediction:
        """Time and power of the workload in ``modes``, shape ``(n, len(knobs))``."""
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            time_ms, power_mw = self.networks(torch.tensor(modes, device="cpu")).numpy()
        return Prediction(time_ms, power_mw / 1e3, self.held_out.time, self.held_out.power)

    def time_ms_in(self, modes: IntArray) -> FloatArray | None:
        """Time of the workload in modes that may be those of another board; None if that has fewer or more knobs."""
        return self.predict(modes).time_ms if modes.shape[1] == len(self.knobs) else None

    def save(self, path: str | Path) -> None:
        """Write ``path.safetensors`` (the networks) and ``path.json`` (all else, and checksums of both).

        Args:
            path: Name of the two files; a suffix of either is ignored.
        """
        tensors = {name: tensor.numpy() for name, tensor in self.networks.state_dict().items()}
        save_files(path, _KIND, self._about(), tensors)

    @classmethod
    def load(cls, name: str | Path) -> PaperNetworks:
        """Read what :meth:`save` wrote. Nothing is unpickled.

        Args:
            name: Name of bundled networks, such as ``orin-agx-64gb-resnet18``; or a path: a :class:`~pathlib.Path`, or
                a string that holds a separator or ends in ``.json`` or ``.safetensors``.

        Raises:
            ArgumentError: If it is a name, and there are no such networks.
            FileFormatError: If a file is missing, damaged, of another version, or something else.
        """
        return load_files(bundled_path(name, _FOLDER, "networks"), _KIND, cls._from_parts)

    def _about(self) -> dict[str, Any]:
        return {
            "knobs": [asdict(knob) for knob in self.knobs],
            "provenance": asdict(self.provenance),
            "errors": {"all_modes": asdict(self.all_modes), "held_out": asdict(self.held_out)},
            "details": dict(self.details),
            "versions": dict(self.versions),
        }

    @classmethod
    def _from_parts(cls, about: Mapping[str, Any], tensors: Tensors) -> PaperNetworks:
        knobs = knobs_of(about)
        errors = {name: FitErrors(**values) for name, values in about["errors"].items()}
        return cls(
            knobs=knobs,
            provenance=Provenance(**about["provenance"]),
            networks=_networks_of(len(knobs), tensors),
            details=about["details"],
            versions=about["versions"],
            **errors,
        )


def _networks_of(knobs: int, tensors: Tensors) -> NetworkPair:
    networks = NetworkPair(knobs).requires_grad_(False).eval()
    if shapes_of(tensors) != shapes_of({name: tensor.numpy() for name, tensor in networks.state_dict().items()}):
        raise ValueError(f"its tensors are not those of two networks of {knobs} inputs with hidden layers of {HIDDEN}")
    if not ((tensors["std"] > 0).all() and (tensors["floors"] > 0).all()):
        raise ValueError("a standard deviation or a floor is not positive")
    networks.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return networks
