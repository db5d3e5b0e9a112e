"""The packages that a user installs: a wheel, built, looked into and type-checked; and the complete source archive.

Both are in one file because building them at the same time would share the folder build/.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def build(folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", *options, "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that was built from the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    build(folder, "--wheel")
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    """The wheel, unpacked."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "unpacked")
    return wheel.parent / "unpacked"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and a wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder


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


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_the_source_archive_holds_the_whole_repository(built: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: nothing says what belongs to the repository")
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True, cwd=ROOT)
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        archived = {name.partition("/")[2] for name in members.getnames()}
    for_kernels = {name for name in listed.stdout.splitlines() if name.startswith("tests/real_kernel/kernel/")}
    assert {name for name in listed.stdout.splitlines() if (ROOT / name).exists()} - for_kernels <= archived
    assert archived.isdisjoint(for_kernels), "their licence is the kernel's"
    assert not [name for name in archived if name.endswith(".pyc")]


def test_a_wheel_from_the_archive_is_the_wheel_from_the_repository(built: Path, wheel: Path) -> None:
    (theirs,) = built.glob("*.whl")
    assert theirs.name == wheel.name
    assert sorted(contents(theirs)) == sorted(contents(wheel)), "if a module is gone, so must be the folder build/"
    assert contents(theirs) == contents(wheel)


def test_a_wheel_installs_and_runs(built: Path, tmp_path: Path) -> None:
    venv, (wheel,) = tmp_path / "venv", built.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    # What it depends on, without what an editable install of this package has put among it.
    # In a virtual environment above another one, the folders of both hold them.
    folders = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "dependencies.pth").write_text("\n".join(folders) + "\n", encoding="utf-8")
    assert not (packages / "callbacks").exists()
    assert (packages / "lightning_powertrain" / "py.typed").exists()
    code = """
import lightning_powertrain
from lightning_powertrain import board_names, load_reference
from lightning_powertrain.callbacks import PowerTrainCallback
assert board_names() and load_reference("orin-agx-64gb-resnet18")
PowerTrainCallback(device="simulated:orin-nano-8gb")
print(lightning_powertrain.__file__)
"""
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert packages in Path(found.stdout.strip()).parents
    shown = subprocess.run([str(venv / "bin" / "powertrain"), "--help"], check=True, capture_output=True, text=True)
    assert "doctor" in shown.stdout
