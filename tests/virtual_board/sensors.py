"""Power monitors, thermal zones, cooling devices and over-current counters."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from virtual_board.nodes import KernelFile, Tree, constant, read_only, refuse, settable
from virtual_board.parsing import scanned
from virtual_board.specs import Chip

_BUS_STEP_MV = 8
_SHUNT_STEP_MA = 8
_NO_LIMIT_MA = 32760
_PLATFORM = {
    4: "/sys/devices",
    5: "/sys/devices/platform",
    6: "/sys/devices/platform/bus@0",
    7: "/sys/devices/platform/bus@0",
}
_ALERTS = ("cpu-throttle-alert", "gpu-throttle-alert")
"""Cooling devices of the firmware, which slows the clocks down by itself: no limit shows it."""
_MOST = 10


class Monitors:
    """The power monitors on the I2C buses.

    Args:
        tree: Where their files are put.
        jetpack: The generation, which says where that is.
        power_w: Power of a rail now, as its filtered sensor shows it.
        numbers: Numbers for hwmon directories, which differ from boot to boot.
    """

    def __init__(self, tree: Tree, jetpack: int, power_w: Callable[[str], float], numbers: Iterator[int]) -> None:
        self._tree = tree
        self._platform = _PLATFORM[jetpack]
        self._power_w = power_w
        self._numbers = numbers

    def place(self, chip: Chip) -> None:
        """Put the files of a chip where its kind has them."""
        bus = chip.address.split("-")[0]
        device = f"{self._platform}/c240000.i2c/i2c-{bus}/{chip.address}"
        self._tree.place(f"{device}/name", constant(chip.kind))
        self._tree.link(f"/sys/bus/i2c/devices/{chip.address}", device)
        self._tree.link(f"/sys/bus/i2c/drivers/{chip.kind}/{chip.address}", device)
        number = next(self._numbers)
        if chip.kind == "ina3221x":
            self._place_iio(chip, f"{device}/iio:device{number}")
            return
        folder = f"{device}/hwmon/hwmon{number}"
        self._tree.place(f"{folder}/name", constant(chip.kind))
        self._tree.link(f"{folder}/device", device)
        self._tree.link(f"/sys/class/hwmon/hwmon{number}", folder)
        if chip.kind == "ina238":
            self._place_ina238(chip, folder)
        else:
            self._place_ina3221(chip, folder)

    def _place_ina3221(self, chip: Chip, folder: str) -> None:
        """INA3221 on JetPack 5 and later. A channel that is not connected has no data."""
        filtered = {"samples": 512, "update_interval": 430}
        for name in filtered:
            self._tree.place(f"{folder}/{name}", _stored(filtered, name))
        for channel, (label, volts) in enumerate(zip(chip.labels, chip.volts), start=1):
            connected = label != "NC"
            files = {
                f"in{channel}_label": constant(label),
                f"in{channel}_enable": constant(int(connected)),
                f"in{channel}_input": self._channel(label, volts, _voltage_mv),
                f"curr{channel}_input": self._channel(label, volts, _current_ma),
                f"curr{channel}_max_alarm": constant(0),
                f"curr{channel}_crit_alarm": constant(0),
                f"shunt{channel}_resistor": constant(5000),
            }
            limits = dict.fromkeys((f"curr{channel}_max", f"curr{channel}_crit"), _NO_LIMIT_MA)
            files.update((name, _stored(limits, name)) for name in limits)
            for name, file in files.items():
                self._tree.place(f"{folder}/{name}", file)
        self._tree.place(f"{folder}/in7_label", constant("sum of shunt voltages"))
        self._tree.place(f"{folder}/in7_input", constant(0))

    def _place_ina238(self, chip: Chip, folder: str) -> None:
        """INA238 on Thor: no label, and power in microwatts."""
        (label,), (volts,) = chip.labels, chip.volts
        files = {
            "in0_input": constant(3),
            "in1_input": self._channel(label, volts, _voltage_mv),
            "curr1_input": self._channel(label, volts, _current_ma),
            "power1_input": read_only(lambda: round(self._power_w(label) * 1e6)),
        }
        for name, file in files.items():
            self._tree.place(f"{folder}/{name}", file)

    def _place_iio(self, chip: Chip, folder: str) -> None:
        """INA3221 on JetPack 4: an IIO device whose files only root can read."""
        self._tree.place(f"{folder}/name", constant(chip.kind))
        for channel, (label, volts) in enumerate(zip(chip.labels, chip.volts)):
            files = {
                f"rail_name_{channel}": constant(label, 0o400),
                f"in_voltage{channel}_input": self._channel(label, volts, _voltage_mv, 0o400),
                f"in_current{channel}_input": self._channel(label, volts, _current_ma, 0o400),
                f"in_power{channel}_input": self._channel(label, volts, _power_mw, 0o400),
            }
            for name, file in files.items():
                self._tree.place(f"{folder}/{name}", file)

    def _channel(
        self, label: str, volts: float, figure: Callable[[float, float], int], mode: int = 0o444
    ) -> KernelFile:
        def show() -> int:
            if label == "NC":
                raise refuse(errno.ENODATA)
            return figure(self._power_w(label), volts)

        return read_only(show, mode)


def _voltage_mv(power_w: float, volts: float) -> int:
    return round(volts * 1000 / _BUS_STEP_MV) * _BUS_STEP_MV


def _current_ma(power_w: float, volts: float) -> int:
    return round(power_w / (_voltage_mv(power_w, volts) / 1000) * 1000 / _SHUNT_STEP_MA) * _SHUNT_STEP_MA


def _power_mw(power_w: float, volts: float) -> int:
    return _current_ma(power_w, volts) * _voltage_mv(power_w, volts) // 1000


def _stored(values: dict[str, int], name: str) -> KernelFile:
    return settable(lambda: values[name], lambda text: values.update({name: scanned(text)}))


class Thermals:
    """Thermal zones, cooling devices, and the counters of the over-current alarms.

    Args:
        tree: Where their files are put.
        zones: Types of the thermal zones.
        cpu_devices: The kernel's own cooling devices, one a policy, each with its state while the board is hot.
        max_cpu_state: The highest state of these.
        temperature_c: Temperature of the die now.
        is_hot: Whether the board throttles itself.
    """

    def __init__(
        self,
        tree: Tree,
        zones: tuple[str, ...],
        cpu_devices: Mapping[str, int],
        *,
        max_cpu_state: int,
        temperature_c: Callable[[], float],
        is_hot: Callable[[], bool],
    ) -> None:
        self._tree = tree
        self._temperature_c = temperature_c
        self._is_hot = is_hot
        self._hot_states = {**cpu_devices, **dict.fromkeys(_ALERTS, 1)}
        self.states = {**dict.fromkeys(self._hot_states, 0), "pwm-fan": 2, "hot-surface-alert": 0}
        self.over_currents = {1: 0, 2: 0, 3: 0}
        for number, zone in enumerate(zones):
            self._place_zone(number, zone)
        for number, device in enumerate(self.states):
            self._place_cooling_device(number, device, max_cpu_state if device in cpu_devices else _MOST)

    def state(self, device: str) -> int:
        """The state of a cooling device now."""
        return max(self.states[device], self._hot_states.get(device, 0) if self._is_hot() else 0)

    @property
    def is_throttling(self) -> bool:
        """Whether any cooling device that slows the board down is at work."""
        return any(self.state(device) for device in self._hot_states)

    @property
    def is_slowed(self) -> bool:
        """Whether the firmware slows the clocks down."""
        return any(self.state(device) for device in _ALERTS)

    def place_over_current(self, number: int) -> None:
        """Put the counters of the over-current alarms into a hwmon directory."""
        folder = f"/sys/devices/platform/bpmp/bpmp:soctherm-oc-event/hwmon/hwmon{number}"
        self._tree.place(f"{folder}/name", constant("soctherm_oc"))
        for alarm in self.over_currents:
            count = read_only(partial(self.over_currents.get, alarm))
            self._tree.place(f"{folder}/oc{alarm}_event_cnt", count)
            self._tree.place(f"{folder}/oc{alarm}_throt_en", constant(1))
        self._tree.link(f"/sys/class/hwmon/hwmon{number}", folder)

    def _place_zone(self, number: int, zone: str) -> None:
        folder = f"/sys/devices/virtual/thermal/thermal_zone{number}"

        def show() -> int:
            if zone.lower().startswith("cv"):
                raise refuse(errno.EAGAIN)
            return round(self._temperature_c() * 1000 / 32) * 32

        self._tree.place(f"{folder}/type", constant(zone))
        self._tree.place(f"{folder}/temp", read_only(show))
        self._tree.place(f"{folder}/trip_point_0_temp", constant(99000))
        self._tree.place(f"{folder}/trip_point_0_type", constant("passive"))
        self._tree.link(f"/sys/class/thermal/thermal_zone{number}", folder)

    def _place_cooling_device(self, number: int, device: str, max_state: int) -> None:
        folder = f"/sys/devices/virtual/thermal/cooling_device{number}"
        self._tree.place(f"{folder}/type", constant(device))
        self._tree.place(f"{folder}/max_state", constant(max_state))
        self._tree.place(f"{folder}/cur_state", read_only(lambda: self.state(device)))
        self._tree.link(f"/sys/class/thermal/cooling_device{number}", folder)
