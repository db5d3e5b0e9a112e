"""Which rails a total is made of; labels as public device trees and logs of real boards have them."""

from __future__ import annotations

import pytest

from lightning_powertrain.boards import board_names, load_board
from lightning_powertrain.devices.rails import Total, total_of

AGX_ORIN = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO")
AGX_XAVIER = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
CARRIER = ("CVB_ATX_12V", "CVB_ATX_3V3", "CVB_ATX_5V")
TX1 = ("VDD_IN", "VDD_GPU", "VDD_CPU", "VDD_MUX", "VDD_5V_IO_SYS", "VDD_3V3_SYS", "VDD_3V3_IO", "VDD_1V8_IO")


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
