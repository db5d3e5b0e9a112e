"""The references that come with this library."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.errors import ArgumentError, one_of
from lightning_powertrain.prediction.reference import Reference

_FOLDER = Path(__file__).parent / "references"


def reference_names() -> tuple[str, ...]:
    """Names of all bundled references, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def load_reference(name: str | Path) -> Reference:
    """A bundled reference by its name, or any other by its path.

    Args:
        name: A bundled name, such as ``orin-agx-64gb-resnet18``; or a path: a :class:`~pathlib.Path`, or a string that
            holds a separator or ends in ``.json`` or ``.safetensors``.

    Raises:
        ArgumentError: If it is a name, and there is no such reference.
        FileFormatError: If a file is missing, damaged, of another version, or not a reference at all.

    >>> load_reference("orin-agx-64gb-resnet18").provenance.simulated
    True
    """
    if isinstance(name, Path) or _looks_like_path(name):
        return Reference.load(name)
    if name not in reference_names():
        raise ArgumentError.of("reference", name, f"{one_of(name, reference_names())}, or the path of a file")
    return Reference.load(_FOLDER / name)


def _looks_like_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.endswith((".json", ".safetensors"))
