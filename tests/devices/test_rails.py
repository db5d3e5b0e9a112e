"""What a total is made of, and what rails feed; labels as public device trees and logs of real boards have them."""

from __future__ import annotations

import pytest

from lightning_powertrain.boards import board_names, load_board
from lightning_powertrain.devices.rails import Total, total_of, watts_by_domain

AGX_ORIN = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO")
AGX_XAVIER = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
CARRIER = ("CVB_ATX_12V", "CVB_ATX_3V3", "CVB_ATX_5V")
TX1 = ("VDD_IN", "VDD_GPU", "VDD_CPU", "VDD_MUX", "VDD_5V_IO_SYS", "VDD_3V3_SYS", "VDD_3V3_IO", "VDD_1V8_IO")

POWER = {
    "orin-agx-64gb": (
        {"VDD_GPU_SOC": 16.0, "VDD_CPU_CV": 3.0, "VIN_SYS_5V0": 5.0, "VDDQ_VDD2_1V8AO": 2.0, "CVB_ATX_12V": 40.0},
        26.0,
        {"GPU and SoC": 16.0, "CPU": 3.0, "memory": 2.0, "rest": 5.0},
    ),
    "orin-nano-8gb": (
        {"VDD_IN": 12.0, "VDD_CPU_GPU_CV": 6.0, "VDD_SOC": 2.5},
        12.0,
        {"GPU and CPU": 6.0, "SoC": 2.5, "rest": 3.5},
    ),
    "agx-xavier": (
        {"GPU": 9.0, "CPU": 4.0, "SOC": 3.0, "CV": 0.5, "VDDRQ": 2.0, "SYS5V": 3.5},
        22.0,
        {"GPU": 9.0, "CPU": 4.0, "SoC": 3.0, "memory": 2.0, "rest": 4.0},
    ),
    "tx2": (  # VDD_MUX is of the carrier, and holds everything else.
        {
            "VDD_IN": 12.0,
            "VDD_SYS_GPU": 5.0,
            "VDD_SYS_CPU": 3.0,
            "VDD_SYS_DDR": 1.0,
            "VDD_SYS_SOC": 1.0,
            "VDD_MUX": 14.0,
        },
        12.0,
        {"GPU": 5.0, "CPU": 3.0, "memory": 1.0, "SoC": 1.0, "rest": 2.0},
    ),
    "thor": (
        {"VIN": 60.0, "VDD_GPU": 30.0, "VDD_CPU_SOC_MSS": 15.0, "VIN_SYS_5V0": 5.0},
        60.0,
        {"GPU": 30.0, "CPU and SoC": 15.0, "rest": 15.0},
    ),
    "unknown-jetson": ({"VDD_GPU": 4.0, "VDD_CPU": 2.0}, 6.0, {"GPU": 4.0, "CPU": 2.0, "rest": 0.0}),
}


@pytest.mark.parametrize("board", [name for name in board_names() if load_board(name).rails])
def test_a_known_board_counts_its_own_rails_whatever_else_is_there(board: str) -> None:
    known = load_board(board)
    own, whole = known.rails, known.total
    expected = own if whole == "sum" else (whole,)
    for names in (own, (*CARRIER, *own), (*own, "VIN_OF_A_CARRIER", "VDD_MUX")):
        assert total_of(names, own, whole) == Total(expected)


def test_a_carriers_input_is_not_taken_for_the_module() -> None:
    assert total_of(("VIN", *AGX_ORIN), AGX_ORIN).parts == AGX_ORIN


@pytest.mark.parametrize("own", [AGX_ORIN, AGX_XAVIER])
def test_a_board_whose_name_is_hidden_is_known_by_its_rails(own: tuple[str, ...]) -> None:
    assert total_of((*CARRIER, "VIN", *own)) == Total(own)


@pytest.mark.parametrize("names", [TX1, ("VIN", "VDD_GPU"), ("POM_5V_IN",)])
def test_a_hidden_board_with_a_rail_for_the_whole_needs_no_sum(names: tuple[str, ...]) -> None:
    assert total_of(names) == Total(names[:1])


def test_an_unknown_board_is_summed_without_carriers_and_with_a_caveat() -> None:
    total = total_of(("VDD_A", "CVB_ATX_12V", "VDD_B"))
    assert total.source == "sum:VDD_A+VDD_B"
    assert "own rails are not known" in total.caveat


def test_rails_of_a_known_board_that_are_missing_are_named() -> None:
    total = total_of(("VDD_GPU_SOC", "VDD_CPU_CV", *CARRIER), AGX_ORIN)
    assert total.source == "sum:VDD_GPU_SOC+VDD_CPU_CV"
    assert total.caveat == "VIN_SYS_5V0, VDDQ_VDD2_1V8AO of this board cannot be seen, so the total is too low"


@pytest.mark.parametrize("names", [(), CARRIER])
def test_without_a_rail_of_the_module_there_is_no_total(names: tuple[str, ...]) -> None:
    assert total_of(names) == Total(())
    assert total_of(names, AGX_ORIN) == Total(())
    assert total_of(names).source == ""


@pytest.mark.parametrize("board", POWER)
def test_parts_add_up_to_the_power_of_the_module(board: str) -> None:
    rails_w, total_w, parts = POWER[board]
    found = watts_by_domain(board, rails_w, total_w)
    assert found == pytest.approx(parts)
    assert sum(found.values()) == pytest.approx(total_w)


@pytest.mark.parametrize("rails_w", [{}, {"VDD_IN": 12.0}, {"VDD_GPU": 9.0, "VDD_CPU": 9.0}])
def test_rails_that_tell_nothing_give_nothing(rails_w: dict[str, float]) -> None:
    """None at all, the whole alone, or rails that overlap."""
    assert watts_by_domain("unknown-jetson", rails_w, 12.0) == {}
