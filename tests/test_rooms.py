"""The house plan, enforced: which room may import which, and which packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "lightning_powertrain"

# Each room may import itself, the errors, the log helpers, the printed line, and the rooms named here.
ALLOWED = {
    "errors": set(),
    "logs": set(),
    "terminal": set(),
    "boards": set(),
    "simulation": {"boards"},
    "devices": {"boards", "simulation"},
    "profiling": {"boards", "devices"},
    "prediction": {"boards", "devices", "profiling"},
    "selection": {"boards", "devices", "profiling", "prediction"},
    "tuning": {"boards", "devices", "profiling", "prediction", "selection"},
    "characterization": {"boards", "devices", "profiling", "prediction", "selection", "tuning"},
    "reporting": {"boards", "profiling", "prediction", "selection", "tuning"},
    "tuner": {"boards", "devices", "profiling", "prediction", "selection", "tuning", "reporting"},
    "distributed": {"boards", "devices", "profiling", "prediction", "selection", "tuning", "reporting", "tuner"},
    "evaluation": {
        *("boards", "simulation", "devices", "profiling", "prediction", "selection", "tuning", "reporting", "tuner"),
    },
    "testing": {"boards", "devices"},
    "jobs": {
        *("boards", "simulation", "devices", "profiling", "prediction", "selection", "tuning", "reporting", "tuner"),
        "distributed",
    },
}
ALLOWED["callbacks"] = ALLOWED["huggingface"] = ALLOWED["ultralytics"] = {*ALLOWED["jobs"], "jobs"}
ALLOWED["running"] = ALLOWED["callbacks"]
ALLOWED["cli"] = {*ALLOWED["callbacks"], "evaluation", "callbacks", "characterization", "running"}
ALLOWED["run"] = {"cli"}


def modules(room: str) -> Iterator[Path]:
    folder = ROOT / "callbacks" if room == "callbacks" else ROOT / PACKAGE / room
    yield from folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]


def imports(path: Path) -> Iterator[str]:
    """Full names of all modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import, which this test cannot follow"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_known() -> None:
    folders = {path.name for path in (ROOT / PACKAGE).iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders <= set(ALLOWED)


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_the_rooms_above_them(room: str) -> None:
    for path in modules(room):
        if not path.exists():
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == PACKAGE and len(parts) > 1:
                assert parts[1] in {room, "errors", "logs", "terminal", "__version__", *ALLOWED[room]}, (
                    f"{path}: imports {name}"
                )


@pytest.mark.parametrize("room", sorted(set(ALLOWED) - {"callbacks", "cli", "run"}))
def test_engine_knows_nothing_of_lightning(room: str) -> None:
    for path in modules(room):
        if path.exists():
            found = [name for name in imports(path) if name.split(".")[0] in ("pytorch_lightning", "lightning")]
            assert not found, f"{path}: imports {found}"


def test_nobody_imports_jtop_into_this_process() -> None:
    for room in ALLOWED:
        for path in modules(room):
            if path.exists():
                assert not [name for name in imports(path) if name.split(".")[0] == "jtop"], path


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, lightning_powertrain\n"
        "heavy = {'torch', 'numpy', 'pytorch_lightning', 'rich', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from lightning_powertrain import Tuner, SimulatedDevice, PaperTransfer, ConsoleReporter\n"
        "assert 'pytorch_lightning' not in sys.modules and 'lightning' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_default_predictor_loads_neither_the_papers_networks_nor_what_trains_them() -> None:
    code = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and opened.append(str(given[0])))\n"
        "from lightning_powertrain.prediction import default_predictor, load_reference\n"
        "profile = load_reference('orin-agx-64gb-resnet18').profile\n"
        "predictor = default_predictor()\n"
        "predictor.fit(type(profile)(profile.knobs, profile.provenance, profile.measurements[:8]))\n"
        "predictor.predict(profile.modes[:3])\n"
        "assert any(path.endswith('.safetensors') for path in opened)\n"
        "loaded = [name for name in sys.modules if name.startswith('lightning_powertrain.prediction.baselines')]\n"
        "assert not loaded and 'torch' not in sys.modules, loaded\n"
        "assert not [path for path in opened if 'baselines' in path], opened\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_public_names_exist_and_no_other() -> None:
    import lightning_powertrain

    for name in lightning_powertrain.__all__:
        assert getattr(lightning_powertrain, name).__name__
    assert set(lightning_powertrain.__all__) <= set(dir(lightning_powertrain))
    with pytest.raises(AttributeError, match="NoSuchName"):
        lightning_powertrain.NoSuchName  # noqa: B018
