"""A whole training job on real kernels."""

from __future__ import annotations

import pytest

from real_kernel.conftest import Boots, check, scenarios_in


@pytest.mark.parametrize("scenario", scenarios_in("training_job"))
def test_on_the_board(boots: Boots, kernel: str, scenario: str) -> None:
    check(boots(kernel, "training_job"), scenario)
