"""``powertrain export``: what it prints can stand in the board's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_board import PlainBoard
from stories import make_outcome, on_board, verified
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.devices.nvpmodel import parse_conf
from lightning_powertrain.reporting import write_run

CONF = """\
< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_1 1
TPC_POWER_GATING TPC_PG_MASK 0
CPU_A78_0 MAX_FREQ -1
GPU MAX_FREQ -1
EMC MAX_FREQ 0
< POWER_MODEL ID=2 NAME=MODE_30W >
{switches}
TPC_POWER_GATING TPC_PG_MASK 240
CPU_A78_0 MIN_FREQ 729600
CPU_A78_0 MAX_FREQ 1728000
GPU MAX_FREQ 612000000
EMC MAX_FREQ 0
< PM_CONFIG DEFAULT=2 >
""".format(switches="\n".join(f"CPU_ONLINE CORE_{core} 1" for core in range(12)))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A board that has a configuration, and is this machine."""
    root = PlainBoard(tmp_path / "board").root
    (root / "etc/nvpmodel.conf").write_text(CONF, encoding="utf-8")
    monkeypatch.setattr("lightning_powertrain.cli.export._ROOT", root)
    return root


def kept_run(folder: Path, board: str = "orin-agx-64gb", *, simulated: bool = False) -> str:
    write_run(on_board(verified(make_outcome(simulated=simulated)), board), folder)
    return str(folder)


def run(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["export", *words])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_what_it_prints_belongs_above_the_last_line(root: Path, tmp_path: Path) -> None:
    printed = run(kept_run(tmp_path / "run"))
    modes, default = parse_conf(CONF.replace("< PM_CONFIG", f"{printed}\n< PM_CONFIG"))
    assert [mode.id for mode in modes] == [0, 2, 3]
    assert default == 2
    chosen = verified(make_outcome()).selection.mode
    written = modes[-1]
    assert (written.cores, written.cpu_khz) == (chosen["cores"], chosen["cpu_khz"])
    assert (written.gpu_hz, written.emc_hz, written.tpc_pg_mask) == (chosen["gpu_hz"], chosen["emc_hz"], 240)
    comments = [line for line in printed.splitlines() if line.startswith("#")]
    assert comments[0] == f"# resnet18 on orin-agx-64gb; fastest within 30 W: {chosen}"
    assert "`sudo nvpmodel -m 3`" in comments[2]
    assert "`sudo nvpmodel -m 2`" in comments[2]
    assert (root / "etc/nvpmodel.conf").read_text(encoding="utf-8") == CONF


def test_a_simulated_run_says_so(root: Path, tmp_path: Path) -> None:
    assert run(kept_run(tmp_path / "run", simulated=True)).startswith("# SIMULATED: no board has measured this mode. ")


def test_a_run_of_another_board_needs_its_configuration(root: Path, tmp_path: Path) -> None:
    folder = kept_run(tmp_path / "run", "orin-nano-8gb")
    said = run(folder, exit_code=2)
    assert "orin-agx-64gb; that one was on orin-nano-8gb, and --conf names its file" in said
    (tmp_path / "nvpmodel.conf").write_bytes(b"\xef\xbb\xbf" + CONF.encode())
    assert "POWERTRAIN_3" in run(folder, "--conf", str(tmp_path / "nvpmodel.conf"))


def test_off_a_jetson_the_file_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_powertrain.cli.export._ROOT", tmp_path)
    folder = kept_run(tmp_path / "run")
    assert run(folder, exit_code=2).startswith(
        "powertrain: --conf=FILE is missing: there is no /etc/nvpmodel.conf here"
    )
    assert "No such file" in run(folder, "--conf", str(tmp_path / "typo.conf"), exit_code=2)
    (tmp_path / "other.conf").write_text("nothing", encoding="utf-8")
    said = run(folder, "--conf", str(tmp_path / "other.conf"), exit_code=1)
    assert said.startswith(f"powertrain: {tmp_path / 'other.conf'}: there is no POWER_MODEL")
