"""Writes a power mode as a mode of the vendor's ``nvpmodel``.

Boards and releases name the same settings differently, so a mode of the board's own configuration is the pattern: its
lines keep their order, and only the values of cores and clocks change. The mask of GPU clusters stays as it is, because
another mask takes a reboot.
"""

from __future__ import annotations

from collections.abc import Mapping

from lightning_powertrain.boards.knobs import label_of, unit_of
from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode, parse_conf, sections
from lightning_powertrain.errors import FileFormatError

_CLUSTERS = {"a57_cores": (0, 3, 4, 5), "denver_cores": (1, 2)}
"""CPU numbers of the TX2, the only board with two kinds of cores."""
_CLOCKS = ("MIN_FREQ", "MAX_FREQ")


def pattern_of(found: Nvpmodel) -> StockMode:
    """The mode to take as a pattern: the one that is set, else the one that the board boots in, else the first.

    Raises:
        FileFormatError: If the configuration has no mode.
    """
    by_number = {mode.id: mode for mode in found.modes}
    for number in (found.current, found.default, *by_number):
        if number is not None and number in by_number:
            return by_number[number]
    raise FileFormatError("there is no POWER_MODEL in this configuration, so there is no pattern for another one")


def power_model(conf: str, pattern: StockMode, mode: Mapping[str, int]) -> tuple[StockMode, str]:
    """The block of a mode, and what our own parser reads in it.

    Clocks are pinned, as they were when the mode was measured: lowest and highest are the same. The memory clock has
    only a cap there.

    Args:
        conf: Text of the board's configuration.
        pattern: The mode in it that is the pattern.
        mode: A value of each knob.

    Raises:
        FileFormatError: If the pattern has no line for a knob.
    """
    modes, _ = parse_conf(conf)
    number = max(each.id for each in modes) + 1
    title = f"< POWER_MODEL ID={number} NAME=POWERTRAIN_{number} >"
    block = "\n".join([title, *(_changed(line, mode) for line in _lines(conf, pattern))])
    (written,), _ = parse_conf(block)
    _check(written, mode, pattern)
    return written, block


def _lines(conf: str, pattern: StockMode) -> list[str]:
    found: list[str] = []
    for title, attributes, lines in sections(conf):
        if title == "POWER_MODEL" and attributes.get("ID") == str(pattern.id):
            found = lines  # Of modes with the same number the last counts.
    return found


def _changed(line: str, mode: Mapping[str, int]) -> str:
    """A line of the pattern with the value of this mode, if it is one of cores or clocks."""
    parameter, attribute, *_ = [*line.split(), "", ""]
    value = _wanted(parameter, attribute, mode)
    return line if value is None else f"{parameter} {attribute} {value}"


def _wanted(parameter: str, attribute: str, mode: Mapping[str, int]) -> int | None:
    if parameter == "CPU_ONLINE":
        return int(_is_online(int(attribute.rpartition("_")[2]), mode))
    clocks = [name for name in mode if unit_of(name) and label_of(name) in parameter.lower()]
    return mode[clocks[0]] if clocks and attribute in _CLOCKS else None


def _is_online(core: int, mode: Mapping[str, int]) -> bool:
    """Whether a core is among the lowest-numbered ones of its kind."""
    kinds = ((cores, mode[name]) for name, cores in _CLUSTERS.items() if name in mode)
    return core < mode["cores"] if "cores" in mode else any(core in cores[:count] for cores, count in kinds)


def _check(written: StockMode, mode: Mapping[str, int], pattern: StockMode) -> None:
    """Read back what was written, as everything is that this library sets."""
    caps = {parameter: value for (parameter, attribute), value in written.settings.items() if attribute == "MAX_FREQ"}
    for name, value in mode.items():
        found = {cap for parameter, cap in caps.items() if label_of(name) in parameter.lower()}
        if unit_of(name) and found != {value}:
            raise FileFormatError(f"mode {pattern.name} of this configuration has no line that limits {label_of(name)}")
    cores = sum(value for name, value in mode.items() if not unit_of(name))
    if written.cores != cores:
        raise FileFormatError(f"mode {pattern.name} of this configuration does not switch the cores that make {cores}")
