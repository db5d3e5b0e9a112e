"""nvpmodel's files: as the vendor writes them, as the virtual boards do, and as nobody should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices.nvpmodel import Nvpmodel, gated, parse_conf, parse_status, read_nvpmodel

KEYS = {
    "orin-agx-jp5": "orin-agx-64gb",
    "orin-agx-jp6": "orin-agx-64gb-jp6",
    "orin-nano-jp6": "orin-nano-8gb",
    "orin-nx-jp6": "orin-nx-16gb",
    "agx-xavier-jp5": "agx-xavier",
    "tx2-jp4": "tx2",
    "thor-jp7": "thor",
}
CONF = """\
# a comment < POWER_MODEL ID=9 NAME=NOT_A_MODE >
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online

< PARAM TYPE=CLOCK NAME=GPU >
MAX_FREQ /sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq

< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 1
TPC_POWER_GATING TPC_PG_MASK 0
CPU_A78_0 MAX_FREQ -1
GPU MAX_FREQ -1
EMC MAX_FREQ 0
< POWER_MODEL ID=14 NAME=own >   # numbers may have gaps
CPU_ONLINE CORE_0 1
CPU_ONLINE CORE_1 0
TPC_POWER_GATING TPC_PG_MASK 240
GPU_POWER_CONTROL_ENABLE GPU_PWR_CNTL_EN on
CPU_A78_0 MIN_FREQ 729600
CPU_A78_0 MAX_FREQ 1113600
CPU_A78_1 MAX_FREQ 1497600
GPU MIN_FREQ 0
GPU MAX_FREQ 408000000
EMC MAX_FREQ 2133000000
< PM_CONFIG DEFAULT=14 >
"""


def test_the_vendors_syntax() -> None:
    (maxn, own), default = parse_conf(CONF)
    assert default == 14
    assert (maxn.id, maxn.name, maxn.cores, maxn.tpc_pg_mask) == (0, "MAXN", 2, 0)
    assert (maxn.cpu_khz, maxn.gpu_hz, maxn.emc_hz) == (None, None, None)
    assert (own.id, own.name, own.cores, own.tpc_pg_mask) == (14, "own", 1, 240)
    assert (own.cpu_khz, own.gpu_hz, own.emc_hz) == (1497600, 408000000, 2133000000)


def test_windows_line_ends_change_nothing() -> None:
    assert parse_conf(CONF.replace("\n", "\r\n")) == parse_conf(CONF)


def test_a_byte_order_mark_hides_no_mode(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    text = CONF[CONF.index("< POWER_MODEL ID=0") :]
    (tmp_path / "etc/nvpmodel.conf").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [mode.name for mode in read_nvpmodel(tmp_path).modes] == ["MAXN", "own"]


@pytest.mark.parametrize("mask", ["240", "0xf0", "0XF0", "0x00000000000000f0"])
def test_masks_may_be_hexadecimal(mask: str) -> None:
    (mode,), _ = parse_conf(f"< POWER_MODEL ID=2 NAME=MODE_30W >\nTPC_POWER_GATING TPC_PG_MASK {mask}\n")
    assert mode.tpc_pg_mask == 240


# What real files of a TX2 list: the switches of CORE_1 to CORE_5, for cpu0 has none.
TX2 = {"MAXN": (1, 1, 1, 1, 1), "MAXQ": (0, 0, 1, 1, 1), "MAXP_CORE_DENVER": (1, 0, 0, 0, 0)}


@pytest.mark.parametrize(("name", "cores"), [("MAXN", 6), ("MAXQ", 4), ("MAXP_CORE_DENVER", 2)])
def test_a_first_core_without_a_switch_is_on(name: str, cores: int) -> None:
    switches = "\n".join(f"CPU_ONLINE CORE_{core} {on}" for core, on in enumerate(TX2[name], 1))
    (mode,), _ = parse_conf(f"< POWER_MODEL ID=0 NAME={name} >\n{switches}\nCPU_A57 MAX_FREQ 345600\n")
    assert mode.cores == cores


def test_the_mode_that_is_set() -> None:
    modes, default = parse_conf(CONF)
    assert Nvpmodel(modes, default, 14).mode == modes[1]
    assert Nvpmodel(modes, default, 3).mode is None


@pytest.mark.parametrize(("text", "number"), [("pmode:0002\n", 2), ("pmode:14", 14), ("", None), ("pmode:x", None)])
def test_status(text: str, number: int | None) -> None:
    assert parse_status(text) == number


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    assert read_nvpmodel(tmp_path) == Nvpmodel()


@pytest.mark.parametrize("name", BOARDS)
def test_virtual_boards_say_what_the_catalogue_does(virtual_board: Callable[..., MountedBoard], name: str) -> None:
    board = virtual_board(name)
    found = read_nvpmodel(board.root)
    presets = load_board(KEYS[name]).presets
    assert {mode.id: mode.name for mode in found.modes} == {preset.id: preset.name for preset in presets}
    assert found.default == found.current
    assert len(found.modes) == len(presets)
    for mode, preset in zip(found.modes, presets):
        assert mode.tpc_pg_mask == (preset.tpc_pg_mask or 0)
        assert mode.gpu_hz == preset.caps.get("gpu_hz")
        knobs = [knob for knob in load_board(KEYS[name]).knobs if knob.role == "cores"]
        assert mode.cores == sum(preset.caps.get(knob.name, knob.values[-1]) for knob in knobs)
        assert mode.emc_hz == preset.caps.get("emc_hz")


WORDS = st.sampled_from(["<", ">", "< POWER_MODEL", "ID=", "ID=3", "NAME=x", "PM_CONFIG", "DEFAULT=", "GPU", "-1", "#"])
TEXTS = st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=4))).map(" ".join))


@settings(max_examples=400)
@given(st.lists(TEXTS).map("\n".join))
def test_no_text_breaks_it(text: str) -> None:
    modes, _ = parse_conf(text)
    for mode in modes:
        assert not {mode.cpu_khz, mode.gpu_hz, mode.emc_hz} & {0, -1}
    assert len({mode.id for mode in modes}) == len(modes)
    parse_status(text)


@settings(max_examples=300)
@given(st.binary())
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.getbasetemp() / "nvpmodel"
    for path in ("etc/nvpmodel.conf", "var/lib/nvpmodel/status"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    assert isinstance(read_nvpmodel(root), Nvpmodel)


@given(
    st.dictionaries(st.integers(0, 99), st.tuples(st.integers(0, 2**32), st.integers(1, 10**10))), st.integers(0, 99)
)
def test_what_is_written_is_read(modes: dict[int, tuple[int, int]], default: int) -> None:
    text = "".join(
        f"< POWER_MODEL ID={number} NAME=m{number} >\nTPC_POWER_GATING TPC_PG_MASK {mask}\nEMC MAX_FREQ {cap}\n"
        for number, (mask, cap) in modes.items()
    )
    found, found_default = parse_conf(f"{text}< PM_CONFIG DEFAULT={default} >")
    unlimited = 2**31 - 1
    assert {mode.id: (mode.tpc_pg_mask, mode.emc_hz) for mode in found} == {
        number: (mask, cap if cap != unlimited else None) for number, (mask, cap) in modes.items()
    }
    assert found_default == default
    assert all(gated(mode.tpc_pg_mask) <= 33 for mode in found)
