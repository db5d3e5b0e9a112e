"""The root helper on real kernels: whatever dies or throttles, and however it is reached, the board is restored."""

from __future__ import annotations

import pytest

from real_kernel.conftest import Boots, check, scenarios_in


@pytest.mark.parametrize("scenario", scenarios_in("helper_matrix"))
def test_on_the_board(boots: Boots, kernel: str, scenario: str) -> None:
    check(boots(kernel, "helper_matrix"), scenario)


def test_the_kernel_has_nothing_to_complain_about(boots: Boots, kernel: str) -> None:
    assert boots(kernel, "helper_matrix").complaints == ""
