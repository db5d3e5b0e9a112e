from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightning_powertrain.cli import app


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        done = CliRunner().invoke(app, ["demo", "--max-modes", "6", "--json"], env={"POWERTRAIN_CACHE": "off"})
    assert done.exit_code == 0, done.output
    return folder / "powertrain-demo" / "version_0"


def test_the_command_writes_what_the_job_wrote(run: Path, tmp_path: Path) -> None:
    written = (run / "powertrain" / "report.html").read_text(encoding="utf-8")
    done = CliRunner().invoke(app, ["report", str(run), "--out", str(tmp_path / "again.html")])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'again.html'}\n")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == written
    assert "resnet18 on orin-agx-64gb, SIMULATED" in written
    assert "MODE_30W" in written


def test_open_shows_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    done = CliRunner().invoke(app, ["report", str(run / "powertrain"), "--open"])
    assert done.exit_code == 0
    assert shown == [(run / "powertrain" / "report.html").absolute().as_uri()]


def test_no_run_exits_with_2_and_a_damaged_one_with_1(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.startswith("powertrain: FOLDER=")
    (tmp_path / "summary.json").write_text("[1", encoding="utf-8")
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
