"""Arguments that both the tuner and the callback take: each is checked by its type first."""

from __future__ import annotations

from lightning_powertrain.errors import ArgumentError


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
        ArgumentError: If it lacks one of the methods of a predictor.
    """
    missing = [name for name in ("fit", "predict", "minimum_modes") if not hasattr(predictor, name)]
    if missing or isinstance(predictor, type):
        allowed = "None, or a predictor such as GreyBoxTransfer(load_reference('orin-agx-64gb-resnet18'))"
        raise ArgumentError.of("predictor", predictor, allowed)


def check_device(device: object, forms: str) -> None:
    """Refuse what cannot be driven.

    Args:
        device: What was given as the device.
        forms: What is allowed instead.

    Raises:
        ArgumentError: If it lacks one of the methods of a device.
    """
    needed = ("board", "modes", "current_mode", "apply", "read_power", "snapshot", "restore")
    if isinstance(device, type) or not all(hasattr(device, name) for name in needed):
        raise ArgumentError.of("device", device, forms)
