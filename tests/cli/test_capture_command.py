"""``powertrain capture``: what it says, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_board import PlainBoard
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.devices import inspection
from lightning_powertrain.devices.facts import TorchFacts
from lightning_powertrain.testing import unpack_capture


@pytest.fixture(autouse=True)
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainBoard:
    monkeypatch.setattr(inspection, "SAMPLING_S", 0.25)
    monkeypatch.setattr(inspection, "torch_facts", lambda: TorchFacts("2.8.0"))
    monkeypatch.setattr("lightning_powertrain.cli.capture._ROOT", tmp_path / "root")
    return PlainBoard(tmp_path / "root")


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["capture", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_it_lists_what_it_took_and_what_it_could_not_read(tmp_path: Path) -> None:
    (tmp_path / "root/etc/nvpmodel.conf").symlink_to("/dev/null")
    text = run(str(tmp_path / "board.tar.gz"))
    assert "\n  /sys/devices/system/cpu: " in text
    assert "\nNot readable for this user:\n  /etc/nvpmodel.conf: no regular file\n" in text
    assert f"Written to {tmp_path}/board.tar.gz." in text
    assert (unpack_capture(tmp_path / "board.tar.gz", tmp_path / "copy") / "etc/nv_tegra_release").exists()


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert "Allowed: a file that does not exist yet" in run(str(tmp_path / "mine"), exit_code=2)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    message = run(str(tmp_path / "no/board.tar.gz"), exit_code=1)
    assert message == f"powertrain: {tmp_path}/no/board.tar.gz could not be written: No such file or directory\n"
