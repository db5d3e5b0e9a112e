"""The wheel that a user installs: built, looked into, type-checked."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_only_our_package_reaches_site_packages(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir() if path.suffix != ".dist-info"}
    assert top == {"lightning_powertrain"}


def test_every_module_and_data_file_is_in_it(unpacked: Path) -> None:
    packaged = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    sources = [path for path in (ROOT / "lightning_powertrain").rglob("*") if path.is_file()]
    wanted = {str(path.relative_to(ROOT)) for path in sources if path.suffix != ".pyc"}
    wanted |= {f"lightning_powertrain/callbacks/{path.name}" for path in (ROOT / "callbacks").glob("*.py")}
    assert wanted <= packaged


def test_licence_command_and_entry_points_are_declared(unpacked: Path) -> None:
    (info,) = unpacked.glob("*.dist-info")
    entry_points = (info / "entry_points.txt").read_text(encoding="utf-8")
    assert "lightning_powertrain.cli:main" in entry_points
    for lightning in ("pytorch_lightning", "lightning.pytorch"):
        factory = f"[{lightning}.callbacks_factory]\npowertrain = lightning_powertrain.callbacks.autoload:callbacks\n"
        assert factory in entry_points
    (licence,) = info.rglob("LICENSE")
    assert "Apache License" in licence.read_text(encoding="utf-8")
    metadata = (info / "METADATA").read_text(encoding="utf-8")
    assert "!=2.6.2" in metadata
    assert "!=2.6.3" in metadata
    assert "Requires-Dist: torch>=" in metadata
    assert "Requires-Python: >=3.8" in metadata
    assert "License :: OSI Approved :: Apache Software License" in metadata


def test_callback_is_importable_from_it(unpacked: Path) -> None:
    code = "from lightning_powertrain import PowerTrainCallback as C; print(C.__module__, C(verbose=False).selection)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=unpacked)
    assert found.stdout.split() == ["lightning_powertrain.callbacks.powertrain", "None"]


def test_types_are_clean(unpacked: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "-p", "lightning_powertrain"]
    found = subprocess.run(mypy, capture_output=True, text=True, cwd=unpacked, check=False)
    assert found.returncode == 0, found.stdout
