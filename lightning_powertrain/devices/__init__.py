"""How to reach a board."""

from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.devices.clock import Clock, Interval, Stopwatch, SystemClock, VirtualClock
from lightning_powertrain.devices.computing import ComputingCost, core_speed
from lightning_powertrain.devices.device import BaseDevice
from lightning_powertrain.devices.energy import EnergyMeter
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.nvml_power import NvmlPower
from lightning_powertrain.devices.opening import find_power_source, open_device, parse_simulated
from lightning_powertrain.devices.polling import BoardPoller, HealthPoller, LoadPoller, Pollers, PowerPoller
from lightning_powertrain.devices.power_source import Health, PowerReading, PowerSource
from lightning_powertrain.devices.simulated import SimulatedDevice
from lightning_powertrain.devices.sysfs import SysfsDevice, find_jetson

__all__ = [
    "BaseDevice",
    "BoardPoller",
    "Clock",
    "ComputingCost",
    "CpuTimes",
    "EnergyMeter",
    "Health",
    "HealthPoller",
    "HelperClient",
    "Interval",
    "Load",
    "LoadPoller",
    "NvmlPower",
    "Pollers",
    "PowerPoller",
    "PowerReading",
    "PowerSource",
    "SimulatedDevice",
    "Stopwatch",
    "SysfsDevice",
    "SystemClock",
    "VirtualClock",
    "core_speed",
    "find_jetson",
    "find_power_source",
    "open_device",
    "parse_simulated",
]
