"""A power mode that stays without a job, on real kernels."""

from __future__ import annotations

import pytest

from real_kernel.conftest import Boots, check, scenarios_in


@pytest.mark.parametrize("scenario", scenarios_in("keeping"))
def test_on_the_board(boots: Boots, kernel: str, scenario: str) -> None:
    check(boots(kernel, "keeping"), scenario)


def test_the_kernel_has_nothing_to_complain_about(boots: Boots, kernel: str) -> None:
    assert boots(kernel, "keeping").complaints == ""
