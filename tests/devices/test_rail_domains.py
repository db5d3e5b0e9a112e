"""Where the watts of a board go, by the names of its rails."""

from __future__ import annotations

import pytest

from lightning_powertrain.devices.rail_domains import watts_by_domain

BOARDS = {
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


@pytest.mark.parametrize("board", BOARDS)
def test_parts_add_up_to_the_power_of_the_module(board: str) -> None:
    rails_w, total_w, parts = BOARDS[board]
    found = watts_by_domain(board, rails_w, total_w)
    assert found == pytest.approx(parts)
    assert sum(found.values()) == pytest.approx(total_w)


@pytest.mark.parametrize("rails_w", [{}, {"VDD_IN": 12.0}, {"VDD_GPU": 9.0, "VDD_CPU": 9.0}])
def test_rails_that_tell_nothing_give_nothing(rails_w: dict[str, float]) -> None:
    """None at all, the whole alone, or rails that overlap."""
    assert watts_by_domain("unknown-jetson", rails_w, 12.0) == {}
