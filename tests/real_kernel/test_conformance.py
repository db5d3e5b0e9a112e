"""The conformance suite that anybody's device can inherit, for SysfsDevice on real kernels."""

from __future__ import annotations

import pytest

from lightning_powertrain.testing import DeviceConformance
from real_kernel.conftest import Boots, check

SCENARIOS = [name for name in vars(DeviceConformance) if name.startswith("test_")]


@pytest.mark.parametrize("scenario", [*SCENARIOS, "test_it_ran_as_an_ordinary_user"])
def test_on_the_board(boots: Boots, kernel: str, scenario: str) -> None:
    check(boots(kernel, "conformance"), scenario)
