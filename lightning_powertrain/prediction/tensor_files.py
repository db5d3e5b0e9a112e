"""Two files that belong together: arrays in ``NAME.safetensors``, and facts about them in ``NAME.json``.

The JSON file holds checksums of both. Nothing is pickled, so nothing is executed when a file is loaded.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Dict, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lightning_powertrain.boards import Knob
from lightning_powertrain.errors import ArgumentError, FileFormatError, one_of

Tensors = Dict[str, npt.NDArray[Any]]
Content = TypeVar("Content")


def save_files(path: str | Path, kind: str, about: Mapping[str, Any], tensors: Tensors) -> None:
    """Write both files, and the folder if it is missing.

    Args:
        path: Name of the two files; a suffix of either is ignored.
        kind: What they hold, such as ``reference``.
        about: Facts, as plain JSON values.
        tensors: Arrays by name.
    """
    tensors_path, about_path = _paths(path)
    data = save_tensors({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    written = {
        "format": _format(kind),
        **about,
        "tensors": {"sha256": hashlib.sha256(data).hexdigest(), "shapes": shapes},
    }
    written["sha256"] = checksum(written)
    tensors_path.parent.mkdir(parents=True, exist_ok=True)
    tensors_path.write_bytes(data)
    about_path.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def load_files(path: str | Path, kind: str, parse: Callable[[Mapping[str, Any], Tensors], Content]) -> Content:
    """Read both files.

    Args:
        path: Name of the two files, with the suffix of either or none.
        kind: What they must hold.
        parse: Makes it from the facts and the arrays, none of which holds a number that is not finite. A ``KeyError``,
            ``TypeError``, ``AttributeError`` or ``ValueError`` of it means that the files hold something else.

    Raises:
        FileFormatError: If a file is missing, damaged, of another version, or holds something else.
    """
    tensors_path, about_path = _paths(path)
    try:
        about = json.loads(about_path.read_text(encoding="utf-8"))
        data = tensors_path.read_bytes()
        _check(about, data, kind)
        tensors = load_tensors(data)
        if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
            raise ValueError("it holds numbers that are not finite")
        return parse(about, tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise FileFormatError(
            f"{path} cannot be read as a {kind} file ({reason}). "
            f"Expected two files that were saved together, {tensors_path.name} and {about_path.name}."
        ) from error


def bundled_path(name: str | Path, folder: Path, argument: str) -> Path:
    """Where to find a bundled file by its name, or any other by its path.

    Args:
        name: A bundled name; or a path: a :class:`~pathlib.Path`, or a string that holds a separator or a suffix.
        folder: Of the bundled files.
        argument: How the caller calls ``name``.

    Raises:
        ArgumentError: If it is a name, and there is no such file.
    """
    if isinstance(name, Path) or "/" in name or "\\" in name or name.endswith((".json", ".safetensors")):
        return Path(name)
    if name not in bundled_names(folder):
        raise ArgumentError.of(argument, name, f"{one_of(name, bundled_names(folder))}, or the path of a file")
    return folder / name


def bundled_names(folder: Path) -> tuple[str, ...]:
    """Names of all bundled files, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def knobs_of(about: Mapping[str, Any]) -> tuple[Knob, ...]:
    """The knobs among the facts."""
    return tuple(Knob(knob["name"], knob["role"], tuple(knob["values"])) for knob in about["knobs"])


def shapes_of(tensors: Tensors) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array."""
    return {name: (str(tensor.dtype), tensor.shape) for name, tensor in tensors.items()}


def software_versions() -> dict[str, str]:
    """Versions of what a fit depends on."""
    packages = ("lightning-powertrain", "torch", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def checksum(about: Mapping[str, Any]) -> str:
    """SHA-256 of the facts but for the checksum itself."""
    rest = {key: value for key, value in about.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _format(kind: str) -> str:
    return f"lightning-powertrain {kind} 1"


def _paths(path: str | Path) -> tuple[Path, Path]:
    name = re.sub(r"\.(safetensors|json)$", "", str(path))
    return Path(f"{name}.safetensors"), Path(f"{name}.json")


def _check(about: Any, data: bytes, kind: str) -> None:
    found = about.get("format") if isinstance(about, dict) else None
    if found != _format(kind):
        raise ValueError(f"its format is {found!r}, expected {_format(kind)!r}")
    if about["sha256"] != checksum(about) or about["tensors"]["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError("a checksum does not match: the two files are damaged or do not belong together")
