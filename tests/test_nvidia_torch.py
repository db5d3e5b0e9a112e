"""NVIDIA's own torch, for which there is no second source, survives the installation of this package.

pip decides from names and versions alone, so everything here is a stub: the torch that is installed, and an index that
holds our dependencies as they are required in reality, with a newer torch among them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement

PROJECT = tomli.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = PROJECT["name"]

# In the styles of NVIDIA's wheels and containers, by JetPack.
KEPT = {
    "6 wheel": "2.2.0a0+6a974be.nv23.11",
    "6 release": "2.3.0",
    "6 preview": "2.5.0a0+872d972e41.nv24.08",
    "6 container": "2.6.0a0+df5bbc09d1.nv24.12",
    "7 release": "2.8.0+nv25.06",
    "7 container": "2.10.0a0+b4e4ee81d3.nv25.12",
}
# Of JetPack 5, for Python 3.8; one's own build for a newer Python may be called the same. Newer Lightnings need 2.1,
# and a preview of 2.1 comes before 2.1.
JETPACK_5 = ("2.0.0+nv23.05", "2.1.0a0+41361538.nv23.06")
TOO_OLD_FOR_THIS_PACKAGE = "1.14.0a0+44dac51c.nv23.02"


def stub(folder: Path, name: str, number: str, needs: list[str]) -> Path:
    """A wheel that holds nothing but its metadata."""
    name = name.replace("-", "_")
    info = f"{name}-{number}.dist-info"
    wheel = folder / f"{name}-{number}-py3-none-any.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}", *(f"Requires-Dist: {n}" for n in needs)]
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def required(name: str, python: str) -> list[Requirement]:
    """What this package requires on a Python, or what another that is installed requires; extras apart."""
    lines = PROJECT["dependencies"] if name == OURS else requires(name) or ()
    found = [Requirement(line) for line in lines]
    markers = {"extra": "", "python_version": python}
    return [each for each in found if each.marker is None or each.marker.evaluate(markers)]


def make_index(folder: Path, python: str) -> Path:
    """Our wheel's metadata for a Python, what it needs, and a torch that tempts."""
    stub(folder, "torch", "2.13.0", [])
    stub(folder, "pytorch-lightning", "2.0.0", ["torch>=1.11.0", "torchmetrics>=0.7.0"])
    stub(folder, "pytorch-lightning", "2.3.3", ["torch>=2.0.0", "torchmetrics>=0.7.0"])
    packages = {OURS, "torchmetrics", *(each.name for each in required(OURS, python))} - {"torch"}
    for name in packages:
        needs = [each for each in required(name, python) if each.name in {*packages, "torch"}]
        lines = [f"{each.name}{each.specifier}" for each in needs]
        stub(folder, name, PROJECT["version"] if name == OURS else version(name), lines)
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the Python that runs the tests."""
    return make_index(tmp_path_factory.mktemp("index"), "{}.{}".format(*sys.version_info))


@pytest.fixture(scope="module")
def index_for_python_3_8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_index(tmp_path_factory.mktemp("index"), "3.8")


def torch_after(index: Path, tmp_path: Path, installed: str, *options: str) -> str | None:
    """The torch that `pip install` of this package would put in place of the installed one; None if it stays."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(stub(tmp_path, "torch", installed, [])) as archive:
        archive.extractall(packages)
    pip = [sys.executable, "-m", "pip", "--python", str(tmp_path / "venv" / "bin" / "python"), "--isolated", "install"]
    offline = ["--no-index", "--find-links", str(index), "--disable-pip-version-check"]
    report = ["--quiet", "--dry-run", "--report", "-"]
    done = subprocess.run(
        [*pip, *offline, *report, *options, OURS],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    chosen = {each["metadata"]["name"]: each["metadata"]["version"] for each in json.loads(done.stdout)["install"]}
    assert chosen.get(OURS.replace("-", "_")) == PROJECT["version"]
    return chosen.get("torch")


@pytest.mark.parametrize("installed", KEPT.values(), ids=KEPT)
def test_torch_of_a_jetson_stays(index: Path, tmp_path: Path, installed: str) -> None:
    assert torch_after(index, tmp_path, installed) is None


def test_torch_of_a_jetson_stays_in_an_upgrade(index: Path, tmp_path: Path) -> None:
    assert torch_after(index, tmp_path, KEPT["6 preview"], "--upgrade") is None


def constraint(folder: Path, installed: str) -> tuple[str, str]:
    """What docs/installing.md and the container file write down before they install."""
    file = folder / "kept.txt"
    file.write_text(f"torch=={installed}\n", encoding="utf-8")
    return "-c", str(file)


@pytest.mark.parametrize("installed", JETPACK_5)
def test_torch_of_jetpack_5_stays_on_its_python(index_for_python_3_8: Path, tmp_path: Path, installed: str) -> None:
    assert torch_after(index_for_python_3_8, tmp_path, installed) is None


@pytest.mark.parametrize("installed", JETPACK_5)
def test_a_constraint_keeps_an_old_torch(index: Path, tmp_path: Path, installed: str) -> None:
    assert torch_after(index, tmp_path, installed, *constraint(tmp_path, installed)) is None


def test_a_constraint_refuses_rather_than_to_replace(index: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="conflicting dependencies"):
        torch_after(index, tmp_path, TOO_OLD_FOR_THIS_PACKAGE, *constraint(tmp_path, TOO_OLD_FOR_THIS_PACKAGE))


def test_without_a_constraint_an_old_torch_would_go(index: Path, tmp_path: Path) -> None:
    """The index does tempt: what the tests above find is not for lack of another torch."""
    assert torch_after(index, tmp_path, JETPACK_5[0]) == "2.13.0"
