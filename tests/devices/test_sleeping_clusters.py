"""Clusters whose cores are all offline, on the kernels of every JetPack: no mode is refused and no clock is lost."""

from __future__ import annotations

from typing import Callable

import pytest
from plain_board import start_helper
from virtual_board import MountedBoard

from lightning_powertrain.devices.helper_checks import helper_facts
from lightning_powertrain.devices.inspection import knob_facts
from lightning_powertrain.devices.roothelper.discovery import find_knobs

Mount = Callable[..., MountedBoard]

# The last cluster of each board sleeps with so many cores online; the TX2 has a knob for its second cluster.
FEW_CORES = {
    "tx2-jp4": {"a57_cores": 1, "denver_cores": 0},
    "agx-xavier-jp5": {"cores": 2},
    "orin-agx-jp5": {"cores": 4},
    "orin-agx-jp6": {"cores": 4},
    "orin-nano-jp6": {"cores": 3},
    "thor-jp7": {"cores": 2},
}
BOARDS = sorted(FEW_CORES)


@pytest.mark.parametrize("name", BOARDS)
def test_a_mode_can_follow_one_that_put_a_cluster_to_sleep(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name, preset="15W" if name == "orin-nano-jp6" else "MAXN")
    before = board.settings()
    client = start_helper(board.root)
    knobs = client.ask("hold")["knobs"]
    for index in (-1, 2, 0, -2):
        clocks = {knob: details["values"][index] for knob, details in knobs.items() if details["role"] != "cores"}
        read = client.ask("apply", mode={**FEW_CORES[name], **clocks})["mode"]
        sleeping = {"denver_khz": knobs["denver_khz"]["values"][0]} if name == "tx2-jp4" else {}
        assert read == {**FEW_CORES[name], **clocks, **sleeping}
    assert client.ask("restore")["differing"] == []
    client.close()
    assert board.settings() == before
    assert not [write for write in board.writes() if write["errno"]]


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_that_starts_with_a_cluster_asleep_has_all_its_clocks(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name, preset="15W" if name == "orin-nano-jp6" else "MAXN")
    awake = {clock.name: clock.values for clock in find_knobs(board.root).clocks}
    for core in board.path("/sys/devices/system/cpu").glob("cpu[1-9]*"):
        (core / "online").write_text("0")
    before = board.settings()
    client = start_helper(board.root)
    knobs = {knob: details["values"] for knob, details in client.ask("hold")["knobs"].items()}
    assert {name: tuple(knobs[name]) for name in awake} == awake
    mode = {knob: values[1] for knob, values in knobs.items()}
    assert client.ask("apply", mode=mode)["mode"] == mode
    client.close()
    assert board.settings() == before


def test_a_diagnosis_counts_the_clock_of_a_sleeping_cluster(virtual_board: Mount) -> None:
    """The Denver cores of a TX2 sleep in most of its stock modes."""
    board = virtual_board("tx2-jp4", preset="MAXP_CORE_ARM")
    facts = knob_facts(find_knobs(board.root), None, helper_facts(board.root, lambda: start_helper(board.root)))
    assert facts["denver_khz"].asleep
    assert facts["denver_khz"].settable
    assert facts["a57_khz"].values
