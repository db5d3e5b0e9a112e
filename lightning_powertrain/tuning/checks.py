"""Checks of the arguments that both the tuner and the callback take."""

from __future__ import annotations

from lightning_powertrain.devices import BaseDevice, parse_simulated
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.selection import Budget


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


def count_modes(device: str | BaseDevice | None) -> int | None:
    """Power modes of a device; None if it is the board that this runs on, which is not opened before training.

    Args:
        device: The device, or its name.

    Raises:
        ArgumentError: If it is no device, or there is none of that name.
    """
    if device is None:
        return None
    if isinstance(device, str):
        return len(parse_simulated(device)[0].modes)
    check_device(device, 'None (the Jetson this runs on), a name such as "simulated:orin-agx-64gb", or ')
    return len(device.modes)


def check_max_modes(max_modes: int | str | None, minimum: int, available: int | None) -> None:
    """Refuse a number of modes that a predictor cannot use or a board does not have.

    Args:
        max_modes: Modes to measure, or ``"auto"``, or None for the default, which suits every board.
        minimum: The fewest that the predictor can use.
        available: Modes of the board; None if not known yet.

    Raises:
        ArgumentError: If it is neither a whole number in between nor ``"auto"``.
    """
    if max_modes is None or max_modes == "auto":
        return
    is_whole = isinstance(max_modes, int) and not isinstance(max_modes, bool)
    if not is_whole or int(max_modes) < minimum or (available is not None and int(max_modes) > available):
        most = f"to {available}, the modes of this board" if available is not None else "up"
        needed = f"a whole number from {minimum}, what the predictor needs, {most}"
        raise ArgumentError.of("max_modes", max_modes, f'{needed}; or "auto", as many as it takes to settle the choice')


def check_hard_limit(hard_limit: bool, budget: Budget) -> None:
    """Refuse a hard limit on anything but power.

    Raises:
        ArgumentError: If it is true and the budget limits more than power, or no power.
    """
    if hard_limit and not budget.limits_only_power:
        raise ArgumentError.of(
            "hard_limit", hard_limit, f'True only with a power budget, such as budget="30 W"; here {budget}'
        )


def check_share(max_share: float) -> None:
    """Refuse a share of the job's time that is no share.

    Raises:
        ArgumentError: If ``max_share`` is not above 0 and at most 1.
    """
    if isinstance(max_share, bool) or not isinstance(max_share, (int, float)) or not 0.0 < max_share <= 1.0:
        raise ArgumentError.of(
            "max_share", max_share, "a number above 0 and up to 1, such as 0.1 for a tenth of the job"
        )


def check_supply_overhead(supply_overhead: float) -> None:
    """Refuse an overhead of a power supply that cannot be.

    Raises:
        ArgumentError: If it is no number from 0 up to 2: a percentage, most likely.
    """
    is_number = isinstance(supply_overhead, (int, float)) and not isinstance(supply_overhead, bool)
    if not (is_number and 0.0 <= supply_overhead <= 2.0):
        allowed = "a number from 0 to 2, such as 0.28 if the plug draws 28 % more than the module"
        raise ArgumentError.of("supply_overhead", supply_overhead, allowed)


def check_tolerance(tolerance: float | None) -> None:
    """Refuse a tolerance that is no share.

    Raises:
        ArgumentError: If it is neither None nor between 0 and 1.
    """
    is_number = isinstance(tolerance, (int, float)) and not isinstance(tolerance, bool)
    if tolerance is not None and not (is_number and 0.0 < tolerance < 1.0):
        raise ArgumentError.of(
            "tolerance", tolerance, "a number above 0 and below 1, such as 0.02 for 2 %, or None for 40 minibatches"
        )
