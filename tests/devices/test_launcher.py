"""Whatever a caller types, the kernel starts the helper's script with the Python of its first line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_powertrain.devices.helper_ways import PYTHON_FLAGS

_WHO = "import os, sys; print(sys.version_info >= (3, 8), os.path.realpath(sys.executable), sep='|')"
_SAYS = "import sys; print(sys.argv, sys.prefix, 'hostile' in repr(sys.path), sys.flags.isolated, sys.flags.no_site)"
_HOSTILE = "import posix; posix.write(1, b'HOSTILE'); posix._exit(0)"


def interpreters() -> list[str]:
    """Every Python from 3.8 on that can be found here; a stand-in that only looks for another one is none."""
    places = [*os.environ["PATH"].split(os.pathsep), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    found = {os.path.realpath(sys.executable)}
    for path in {path for place in places for path in Path(place).glob("python3.[0-9]*") if os.access(path, os.X_OK)}:
        if path.name[8:].isdigit():
            said = subprocess.run([path, "-ISc", _WHO], capture_output=True, text=True, check=False).stdout.strip()
            if said.startswith("True|"):
                found.add(said[5:])
    return sorted(found)


@pytest.mark.parametrize("python", interpreters())
@pytest.mark.parametrize("typed", ["hostile/bin/python3", "hostile/bin/script", "./script", "", "python3"])
def test_what_was_typed_does_not_reach_python(tmp_path: Path, python: str, typed: str) -> None:
    script, hostile = tmp_path / "script", tmp_path / "hostile"
    script.write_text(f"#!{python} {PYTHON_FLAGS}\n{_SAYS}\n")
    script.chmod(0o755)
    version = f"python{'.'.join(Path(python).name[6:].split('.')[:2])}"
    for place in (hostile / "bin", hostile / "lib" / version / "encodings", hostile / "lib" / version / "lib-dynload"):
        place.mkdir(parents=True)
    (hostile / "lib" / version / "os.py").touch()
    (hostile / "lib" / version / "encodings/__init__.py").write_text(_HOSTILE)
    (hostile / "bin/pyvenv.cfg").write_text(f"home = {hostile / 'bin'}\n")
    (hostile / "bin/python3").symlink_to(python)
    (hostile / "bin/script").symlink_to(script)
    expected = subprocess.run([script], capture_output=True, text=True, check=True, cwd="/").stdout
    typed = str(tmp_path / typed) if "/bin/" in typed else typed
    environment = {name: str(hostile) for name in ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "HOME")}
    said = subprocess.run(
        [typed], executable=script, capture_output=True, text=True, check=True, cwd=hostile, env=environment
    ).stdout
    assert said == expected
    assert said.endswith("False 1 1\n")
