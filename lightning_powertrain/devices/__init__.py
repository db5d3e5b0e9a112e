"""How to reach a board."""

from lightning_powertrain.devices.clock import Clock, SystemClock, VirtualClock
from lightning_powertrain.devices.device import Device, Health, PowerReading
from lightning_powertrain.devices.opening import open_device, parse_simulated
from lightning_powertrain.devices.sampling import HealthSampler, PowerSampler, Samplers
from lightning_powertrain.devices.simulated import SimulatedDevice
from lightning_powertrain.devices.sysfs import SysfsDevice, find_jetson

__all__ = [
    "Clock",
    "Device",
    "Health",
    "HealthSampler",
    "PowerReading",
    "PowerSampler",
    "Samplers",
    "SimulatedDevice",
    "SysfsDevice",
    "SystemClock",
    "VirtualClock",
    "find_jetson",
    "open_device",
    "parse_simulated",
]
