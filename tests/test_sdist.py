"""The source archive: complete, a wheel from it is the wheel from the repository, and that one installs and runs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and a wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, cwd=folder)
    return folder


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_it_holds_the_whole_repository(built: Path) -> None:
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


def test_a_wheel_from_it_is_the_wheel_from_the_repository(built: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    (theirs,), (ours,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    assert theirs.name == ours.name
    assert sorted(contents(theirs)) == sorted(contents(ours)), "if a module is gone, so must be the folder build/"
    assert contents(theirs) == contents(ours)


def test_it_installs_and_runs(built: Path, tmp_path: Path) -> None:
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
