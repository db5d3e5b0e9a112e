"""The catalogue against the counts and rules that its sources state."""

from __future__ import annotations

import pytest

from lightning_powertrain.boards import Board, Preset, board_names, load_board
from lightning_powertrain.errors import ArgumentError, UnknownTableError

CPU_STEP_KHZ = 76_800
GPU_STEP_HZ = 102_000_000

BOARDS = board_names()
COMPLETE = [name for name in BOARDS if not load_board(name).unknown_knobs]
INCOMPLETE = [name for name in BOARDS if load_board(name).unknown_knobs]

# Steps per knob; 0 stands for a table that nobody has published.
SHAPES = {
    "agx-xavier": (8, 29, 14, 9),
    "nano": (4, 15, 12, 0),
    "nano-2gb": (4, 15, 12, 0),
    "orin-agx-32gb": (8, 29, 0, 4),
    "orin-agx-64gb": (12, 29, 13, 4),
    "orin-agx-64gb-jp6": (12, 29, 11, 4),
    "orin-agx-industrial": (12, 0, 0, 4),
    "orin-nano-4gb": (6, 0, 0, 0),
    "orin-nano-4gb-super": (6, 0, 0, 0),
    "orin-nano-8gb": (6, 20, 5, 3),
    "orin-nano-8gb-super": (6, 22, 8, 4),
    "orin-nx-16gb": (8, 26, 7, 0),
    "orin-nx-16gb-super": (8, 26, 0, 0),
    "orin-nx-8gb": (6, 26, 7, 0),
    "orin-nx-8gb-super": (6, 26, 0, 0),
    "thor": (14, 0, 0, 0),
    "tx1": (4, 0, 0, 0),
    "tx2": (4, 3, 12, 12, 13, 11),
    "xavier-nx": (6, 25, 15, 0),
}


def values(board: str, knob: str) -> tuple[int, ...]:
    return next(each.values for each in load_board(board).knobs if each.name == knob)


def test_every_file_is_a_board() -> None:
    assert set(SHAPES) == set(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_steps_per_knob(name: str) -> None:
    assert tuple(len(knob.values) for knob in load_board(name).knobs) == SHAPES[name]


@pytest.mark.parametrize(
    ("name", "modes"),
    [("orin-agx-64gb", 18_096), ("orin-agx-64gb-jp6", 15_312), ("agx-xavier", 29_232), ("orin-nano-8gb", 1_800)],
)
def test_number_of_modes(name: str, modes: int) -> None:
    assert len(load_board(name).modes) == modes


def test_study_grid_has_the_modes_of_the_paper() -> None:
    board = load_board("orin-agx-64gb")
    grid = board.grid("study")
    assert len(grid) == 4_368
    assert grid.shape == (6, 14, 13, 4)
    assert all(mode in board.modes for mode in map(grid.mode, range(0, len(grid), 97)))


def test_later_gpu_table_has_no_grid_of_the_paper() -> None:
    assert not load_board("orin-agx-64gb-jp6").grids


@pytest.mark.parametrize(
    ("name", "regular_to", "top"),
    [
        ("orin-agx-64gb", 2_188_800, 2_201_600),
        ("agx-xavier", 2_265_600, None),
        ("orin-nano-8gb", 1_497_600, 1_510_400),
        ("orin-nano-8gb-super", 1_728_000, None),
        ("orin-nx-16gb", 1_958_400, 1_984_000),
        ("xavier-nx", 1_881_600, 1_907_200),
    ],
)
def test_cpu_table_follows_its_rule(name: str, regular_to: int, top: int | None) -> None:
    regular = tuple(range(115_200, regular_to + 1, CPU_STEP_KHZ))
    assert values(name, "cpu_khz") == (regular if top is None else (*regular, top))


@pytest.mark.parametrize(
    ("name", "regular_to", "top"),
    [
        ("orin-agx-64gb-jp6", 1_224_000_000, 1_300_500_000),
        ("orin-nano-8gb", 612_000_000, 624_750_000),
        ("orin-nano-8gb-super", 1_020_000_000, None),
        ("orin-nx-16gb", 918_000_000, None),
    ],
)
def test_orin_gpu_table_follows_its_rule(name: str, regular_to: int, top: int | None) -> None:
    regular = tuple(range(306_000_000, regular_to + 1, GPU_STEP_HZ))
    assert values(name, "gpu_hz") == (regular if top is None else (*regular, top))


def test_nano_gpu_table_is_the_first_twelve_multiples() -> None:
    assert values("nano", "gpu_hz") == tuple(76_800_000 * k for k in range(1, 13))


def test_tx2_has_two_knobs_for_each_of_its_two_cpu_clusters() -> None:
    roles = {knob.name: knob.role for knob in load_board("tx2").knobs}
    assert roles == {
        "a57_cores": "cores",
        "denver_cores": "cores",
        "a57_khz": "cpu",
        "denver_khz": "cpu",
        "gpu_hz": "gpu",
        "emc_hz": "emc",
    }
    assert values("tx2", "a57_cores")[0] == 1, "cpu0 is an A57 core and cannot go offline"


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_is_complete_but_for_its_tables(name: str) -> None:
    board = load_board(name)
    assert board.key == name
    assert board.title.startswith("Jetson ")
    assert bool(board.rails) == (name != "nano-2gb")
    assert board.total == "sum" or board.total in board.rails
    assert board.compatible
    assert all(tag.startswith("p") and tag[1:5].isdigit() for tag in board.compatible)
    assert {knob.role for knob in board.knobs} == {"cores", "cpu", "gpu", "emc"}


@pytest.mark.parametrize("name", BOARDS)
def test_presets_are_numbered_once_and_cap_knobs_that_exist(name: str) -> None:
    board = load_board(name)
    names = [preset.name for preset in board.presets]
    assert len(set(names)) == len(names)
    assert board.default_preset in names if names else not board.default_preset
    assert [preset.id for preset in board.presets] == list(range(len(names)))
    for preset in board.presets:
        assert set(preset.caps) <= {knob.name for knob in board.knobs}


# What the vendor's nvpmodel.conf of each board says: cores, CPU (kHz), GPU (Hz), EMC (Hz), TPC mask; None for no limit.
# Orin: LineageOS/android_device_nvidia_concord, nvpmodel/*.conf. Nano: umr-ds/BirdEdge-OS, etc/nvpmodel.conf.
REAL_FILES: dict[str, dict[str, tuple[int | None, ...]]] = {
    "orin-agx-64gb": {
        "MAXN": (12, None, None, None, 0),
        "MODE_15W": (4, 1113600, 408000000, 2133000000, 248),
        "MODE_30W": (8, 1728000, 612000000, None, 240),
        "MODE_50W": (12, 1497600, 816000000, None, 0),
    },
    "orin-agx-32gb": {
        "MAXN": (8, None, None, None, 128),
        "MODE_15W": (4, 1113600, 408000000, 2133000000, 248),
        "MODE_30W": (8, 1728000, 612000000, None, 240),
        "MODE_40W": (8, 1497600, 816000000, None, 128),
    },
    "orin-nx-16gb-super": {
        "MAXN_SUPER": (8, None, None, None, 240),
        "10W": (4, 1190400, 612000000, 2133000000, 252),
        "15W": (4, 1420800, 612000000, None, 252),
        "25W": (8, 1497600, 408000000, None, 240),
        "40W": (8, 1497600, 1173000000, None, 240),
    },
    "orin-nx-8gb-super": {
        "MAXN_SUPER": (6, None, None, None, 240),
        "10W": (4, 1190400, 612000000, 2133000000, 252),
        "15W": (4, 1420800, 612000000, None, 252),
        "20W": (6, 1497600, 408000000, None, 240),
        "40W": (6, 1984000, 1173000000, None, 240),
    },
    "orin-nano-8gb-super": {
        "15W": (6, 1497600, 612000000, 2133000000, 240),
        "25W": (6, 1344000, 918000000, 3199000000, 240),
        "MAXN_SUPER": (6, None, None, None, 240),
    },
    "orin-nano-4gb-super": {
        "10W": (6, 1497600, 612000000, 2133000000, 252),
        "25W": (6, 1728000, 1020000000, 3199000000, 252),
        "MAXN_SUPER": (6, None, None, None, 252),
    },
    "nano": {"MAXN": (4, None, None, None, None), "5W": (2, 918000, 640000000, 1600000000, None)},
}


@pytest.mark.parametrize("name", REAL_FILES)
def test_presets_are_those_of_real_files(name: str) -> None:
    board = load_board(name)
    found = {preset.name: _as_in_a_file(board, preset) for preset in board.presets}
    assert {preset: found[preset] for preset in REAL_FILES[name]} == REAL_FILES[name]


def _as_in_a_file(board: Board, preset: Preset) -> tuple[int | None, ...]:
    cores = preset.caps.get("cores", max(board.knobs[0].values))
    return cores, *(preset.caps.get(knob) for knob in ("cpu_khz", "gpu_hz", "emc_hz")), preset.tpc_pg_mask


@pytest.mark.parametrize("name", [name for name in BOARDS if load_board(name).gpu_clusters])
def test_no_preset_switches_all_gpu_clusters_off(name: str) -> None:
    board = load_board(name)
    masks = [preset.tpc_pg_mask for preset in board.presets if preset.tpc_pg_mask is not None]
    assert all(bin(mask & ~min(masks)).count("1") < (board.gpu_clusters or 0) for mask in masks)


def test_nano_cpu_table_is_the_kernels() -> None:
    assert values("nano", "cpu_khz")[::7] == (102000, 825600, 1479000)
    assert 918000 not in values("nano", "cpu_khz"), "the 5W preset's cap is rounded"


def preset_modes(board: Board) -> list[tuple[dict[str, int], dict[str, int]]]:
    return [(dict(preset.caps), dict(board.preset(preset.name))) for preset in board.presets]


@pytest.mark.parametrize("name", COMPLETE)
def test_presets_become_the_highest_mode_under_their_caps(name: str) -> None:
    board = load_board(name)
    for caps, mode in preset_modes(board):
        assert mode in board.modes
        for knob in board.knobs:
            below = [value for value in knob.values if value <= caps.get(knob.name, knob.values[-1])]
            assert mode[knob.name] == below[-1]


@pytest.mark.parametrize("name", COMPLETE)
def test_presets_with_higher_caps_become_modes_that_are_nowhere_lower(name: str) -> None:
    presets = preset_modes(load_board(name))
    names = [knob.name for knob in load_board(name).knobs]
    for low_caps, low in presets:
        for high_caps, high in presets:
            if all(low_caps.get(knob, 10**12) <= high_caps.get(knob, 10**12) for knob in names):
                assert all(low[knob] <= high[knob] for knob in names)


@pytest.mark.parametrize("name", INCOMPLETE)
def test_unknown_tables_raise_and_are_named(name: str) -> None:
    board = load_board(name)
    with pytest.raises(UnknownTableError) as caught:
        _ = board.modes
    assert board.title in str(caught.value)
    assert all(knob in str(caught.value) for knob in board.unknown_knobs)
    if board.presets:
        with pytest.raises(UnknownTableError):
            board.preset(board.default_preset)


def test_board_without_knobs_has_no_modes() -> None:
    with pytest.raises(UnknownTableError, match="all knobs"):
        _ = Board("bare", "Bare board", ()).modes


def test_extended_board_keeps_what_it_does_not_set() -> None:
    base, later = load_board("orin-agx-64gb"), load_board("orin-agx-64gb-jp6")
    assert later.presets == base.presets
    assert later.compatible == base.compatible
    assert [knob for knob in later.knobs if knob.name != "gpu_hz"] == [k for k in base.knobs if k.name != "gpu_hz"]
    assert [knob.name for knob in later.knobs] == [knob.name for knob in base.knobs]


@pytest.mark.parametrize("name", ["orin-agx", "", "../errors", "ORIN-AGX-64GB"])
def test_unknown_board(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"board=.*orin-agx-64gb, orin-agx-64gb-jp6"):
        load_board(name)


def test_unknown_preset_and_grid_name_what_there_is() -> None:
    board = load_board("orin-agx-64gb")
    with pytest.raises(ArgumentError, match=r"preset='40W'.*MAXN, MODE_15W, MODE_30W, MODE_50W"):
        board.preset("40W")
    with pytest.raises(ArgumentError, match=r"grid='paper'.*one of study"):
        board.grid("paper")
    with pytest.raises(ArgumentError, match=r"grid='study'.*none for thor"):
        load_board("thor").grid("study")
