"""Arguments that both the tuner and the callback take: each is checked by its type first."""

from __future__ import annotations

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction import BasePredictor


def check_switches(**switches: object) -> None:
    """Refuse what is neither True nor False, by the name of the argument.

    Raises:
        ArgumentError: If one is something else, also if it counts as true, such as ``"no"``.
    """
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ArgumentError.of(name, value, "True or False")


def check_seed(seed: object) -> None:
    """Refuse a seed that numpy cannot start from.

    Raises:
        ArgumentError: If it is no whole number from 0 up.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError.of("seed", seed, "a whole number from 0 up")


def check_predictor(predictor: object) -> None:
    """Refuse what cannot predict.

    Raises:
        ArgumentError: If its class is not derived from BasePredictor.
    """
    if not isinstance(predictor, BasePredictor):
        example = "GreyBoxTransfer(load_reference('orin-agx-64gb-resnet18'))"
        allowed = f"None, or an instance of a class derived from BasePredictor, such as {example}"
        raise ArgumentError.of("predictor", predictor, allowed)


def check_device(device: object, other_forms: str = "") -> None:
    """Refuse what is not a device.

    Args:
        device: What was given as the device.
        other_forms: What else is allowed, with a trailing blank.

    Raises:
        ArgumentError: If its class is not derived from BaseDevice.
    """
    if not isinstance(device, BaseDevice):
        ours = 'an instance of a class derived from BaseDevice, such as open_device("simulated:orin-agx-64gb")'
        raise ArgumentError.of("device", device, other_forms + ours)
