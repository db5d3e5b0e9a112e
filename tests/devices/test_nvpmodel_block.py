"""A mode written for ``nvpmodel`` is what our own parser reads, on every board that names its settings otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode, parse_conf, read_nvpmodel
from lightning_powertrain.devices.nvpmodel_block import pattern_of, power_model
from lightning_powertrain.errors import FileFormatError


def conf(cores: int, clusters: tuple[str, ...], first: int = 0, more: str = "") -> str:
    """A configuration in the vendor's syntax with two modes.

    Args:
        cores: How many there are.
        clusters: What the clocks of the CPU are called.
        first: The first core that has a switch.
        more: Lines of the second mode that are neither cores nor clocks.
    """
    switches = "\n".join(f"CPU_ONLINE CORE_{core} 1" for core in range(first, cores))
    clocks = "\n".join(f"{name} MIN_FREQ 729600\n{name} MAX_FREQ -1" for name in clusters)
    body = f"GPU MIN_FREQ 0\nGPU MAX_FREQ -1\n{more}EMC MAX_FREQ 0\n"
    modes = (
        f"< POWER_MODEL ID={number} NAME={name} >\n{switches}\n" for number, name in ((0, "MAXN"), (3, "MODE_50W"))
    )
    return "# Comments, and PARAM sections before\n" + "\n".join(f"{mode}{clocks}\n{body}" for mode in modes)


MORE = """\
TPC_POWER_GATING TPC_PG_MASK 240
GPU_POWER_CONTROL_ENABLE GPU_PWR_CNTL_EN on
GPU_POWER_CONTROL_DISABLE GPU_PWR_CNTL_DIS auto
DLA0_CORE MAX_FREQ 614400000
"""
CONFS = {
    "orin-agx-64gb": conf(12, ("CPU_A78_0", "CPU_A78_1", "CPU_A78_2"), more=MORE),
    "orin-nano-8gb": conf(6, ("CPU_A78_0", "CPU_A78_1"), more=MORE),
    "agx-xavier": conf(8, ("CPU_DENVER_0", "CPU_DENVER_1", "CPU_DENVER_2", "CPU_DENVER_3"), more=MORE),
    "tx2": conf(6, ("CPU_A57", "CPU_DENVER"), first=1),
    "nano": conf(4, ("CPU_A57",)),
}


def values(written: StockMode, attribute: str) -> set[tuple[str, int]]:
    return {(parameter, value) for (parameter, name), value in written.settings.items() if name == attribute}


@pytest.mark.parametrize("name", [name for name in CONFS if name != "nano"])
def test_modes_of_each_board_survive(name: str) -> None:
    board = load_board(name)
    pattern = parse_conf(CONFS[name])[0][-1]
    for mode in (board.modes.lowest, board.modes.mode(len(board.modes) // 3), board.modes.highest):
        written, block = power_model(CONFS[name], pattern, mode)
        assert parse_conf(f"{CONFS[name]}\n{block}")[0][-1] == written
        assert (written.id, written.name) == (4, "POWERTRAIN_4")
        assert written.cores == sum(mode[knob.name] for knob in board.knobs if knob.role == "cores")
        assert (written.gpu_hz, written.emc_hz) == (mode["gpu_hz"], mode["emc_hz"])
        assert written.cpu_khz == max(mode[knob.name] for knob in board.knobs if knob.role == "cpu")
        pinned = {each for each in values(written, "MAX_FREQ") if each[0].startswith(("CPU", "GPU"))}
        assert values(written, "MIN_FREQ") == pinned


def test_one_kind_of_cores_counts_whatever_it_is_called() -> None:
    mode = {"cores": 3, "cpu_khz": 921600, "gpu_hz": 76800000, "emc_hz": 1600000000}
    written, _ = power_model(CONFS["nano"], parse_conf(CONFS["nano"])[0][0], mode)
    assert (written.cores, written.cpu_khz) == (3, 921600)


def test_only_cores_and_clocks_differ_from_the_pattern() -> None:
    pattern = parse_conf(CONFS["orin-agx-64gb"])[0][-1]
    mode = PowerMode(cores=2, cpu_khz=1113600, gpu_hz=420750000, emc_hz=2133000000)
    written, block = power_model(CONFS["orin-agx-64gb"], pattern, mode)
    assert MORE.partition("GPU_POWER")[0] in block
    assert (
        "GPU_POWER_CONTROL_DISABLE GPU_PWR_CNTL_DIS auto\nDLA0_CORE MAX_FREQ 614400000\nEMC MAX_FREQ 2133000000"
        in block
    )
    assert written.tpc_pg_mask == pattern.tpc_pg_mask == 240
    assert set(written.settings) == set(pattern.settings)


@pytest.mark.parametrize(("a57", "denver", "online"), [(1, 0, {0}), (2, 1, {0, 1, 3}), (4, 2, set(range(6)))])
def test_the_tx2_has_two_kinds_of_cores(a57: int, denver: int, online: set[int]) -> None:
    mode = PowerMode(
        **{**load_board("tx2").modes.lowest, "a57_cores": a57, "denver_cores": denver, "denver_khz": 499200}
    )
    written, _ = power_model(CONFS["tx2"], parse_conf(CONFS["tx2"])[0][0], mode)
    switches = {int(core[5:]): on for (parameter, core), on in written.settings.items() if parameter == "CPU_ONLINE"}
    assert {0, *(core for core, on in switches.items() if on)} == online
    assert {("CPU_A57", 345600), ("CPU_DENVER", 499200)} <= values(written, "MAX_FREQ")


@pytest.mark.parametrize("name", [name for name in BOARDS if name != "tx2-jp4"])
def test_configurations_of_virtual_boards(virtual_board: Callable[..., MountedBoard], name: str) -> None:
    board = virtual_board(name)
    text = board.path("/etc/nvpmodel.conf").read_text(encoding="utf-8")
    found = read_nvpmodel(board.root)
    pattern = pattern_of(found)
    assert pattern == found.mode
    written, block = power_model(text, pattern, {"cores": 3, "cpu_khz": 1, "gpu_hz": 2, "emc_hz": 3})
    assert (written.cores, written.cpu_khz, written.gpu_hz, written.emc_hz) == (3, 1, 2, 3)
    modes, default = parse_conf(text.replace("< PM_CONFIG", f"{block}\n< PM_CONFIG"))
    assert modes == (*found.modes, written)
    assert default == found.default


@pytest.mark.parametrize(("line", "lacks"), [("EMC MAX_FREQ", "emc"), ("GPU MAX_FREQ", "gpu"), ("CPU_ONLINE", "cores")])
def test_a_pattern_without_a_line_for_a_knob_is_refused(line: str, lacks: str) -> None:
    text = "\n".join(each for each in CONFS["orin-agx-64gb"].splitlines() if not each.startswith(line))
    with pytest.raises(FileFormatError, match=rf"mode MODE_50W of this configuration .*{lacks}"):
        power_model(text, parse_conf(text)[0][-1], load_board("orin-agx-64gb").modes.lowest)


def test_more_cores_than_the_board_has_are_refused() -> None:
    mode = load_board("orin-agx-64gb").modes.highest
    with pytest.raises(FileFormatError, match="cores"):
        power_model(CONFS["orin-nano-8gb"], parse_conf(CONFS["orin-nano-8gb"])[0][0], mode)


def test_the_pattern_is_the_mode_that_is_set_if_it_is_known() -> None:
    modes, _ = parse_conf(CONFS["nano"])
    assert pattern_of(Nvpmodel(modes, 0, 3)).id == 3
    assert pattern_of(Nvpmodel(modes, 3, 9)).id == 3
    assert pattern_of(Nvpmodel(modes)).id == 0
    with pytest.raises(FileFormatError, match="no POWER_MODEL"):
        pattern_of(Nvpmodel())
