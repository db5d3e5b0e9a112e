"""Arguments of a wrong kind: one message that says what is allowed."""

from __future__ import annotations

from typing import Any, List, Tuple

import pytest
from fakes import FakeDevice, Oracle, arguments

from lightning_powertrain import PowerTrainCallback, ProfilingOptions, load_board, load_reference, open_device
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.tuner import Tuner

BAD: List[Tuple[str, Any]] = [
    ("strict", "yes"),
    ("strict", 1),
    ("hard_limit", 1),
    ("adapt", "no"),
    ("match_threads", None),
    ("seed", -1),
    ("seed", 1.5),
    ("seed", True),
    ("supply_overhead", 28),
    ("supply_overhead", -0.1),
    ("supply_overhead", None),
    ("supply_overhead", True),
    ("predictor", "paper"),
    ("predictor", Oracle),
    ("max_modes", "many"),
    ("max_share", "10 %"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_tuner_names_the_argument(device: FakeDevice, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"^{name}=.* is not valid. Allowed: "):
        Tuner("30 W", device=device, verbose=False, **arguments(**{name: value}))


@pytest.mark.parametrize(("name", "value"), [*BAD, ("verbose", "yes"), ("device", 42), ("device", FakeDevice)])
def test_callback_names_the_argument(name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"^{name}=.* is not valid. Allowed: "):
        PowerTrainCallback("30 W", **arguments(**{name: value}))


def test_tuner_refuses_what_is_no_device() -> None:
    with pytest.raises(
        ArgumentError, match=r"^device=42 is not valid. Allowed: None .the Jetson this runs on.,.* BaseDevice"
    ):
        Tuner(device=42, verbose=False)  # type: ignore[arg-type]


def test_a_reference_and_a_predictor_exclude_each_other(oracle: Oracle) -> None:
    with pytest.raises(ArgumentError, match=r"^reference=.*together with predictor="):
        PowerTrainCallback("30 W", options=ProfilingOptions(predictor=oracle, reference="orin-agx-64gb-resnet18"))


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: load_board("orin-agx64gb"), "orin-agx-64gb"),
        (lambda: load_reference("orin-agx-64gb-resnet-18"), "orin-agx-64gb-resnet18"),
        (lambda: open_device("simulated:agx-xavir"), "agx-xavier"),
        (lambda: open_device("simulated:agx-xavier:resnet"), "resnet18"),
    ],
)
def test_a_misspelt_name_gets_the_one_that_was_meant(call: Any, meant: str) -> None:
    with pytest.raises(ArgumentError, match=f"did you mean {meant}"):
        call()
