"""The device tree of a Jetson AGX Orin as far as the library looks at it, laid over that of QEMU's machine."""

from __future__ import annotations

import re
from pathlib import Path

from real_kernel.debian import run

MACHINE = ("-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", "12", "-m", "1536")

_RAILS = {0x40: ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), 0x41: ("VDDQ_VDD2_1V8AO", None, None)}


def build_device_tree(jetpack: int, folder: Path) -> Path:
    """Writes the device tree of that JetPack into ``folder``."""
    dumped, source, built = folder / "qemu.dtb", folder / "board.dts", folder / "board.dtb"
    run("qemu-system-aarch64", MACHINE[0], f"{MACHINE[1]},dumpdtb={dumped}", *MACHINE[2:], "-nodefaults", "-nographic")
    # A dumped tree is padded to 1 MB, and QEMU doubles it to more than the kernel takes: dtc packs it.
    text = run("dtc", "-q", "-I", "dtb", "-O", "dts", str(dumped))
    source.write_text(_as_orin(text, jetpack), encoding="ascii")
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(built), str(source))
    return built


def _as_orin(text: str, jetpack: int) -> str:
    names = '"nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"'
    model = 'model = "NVIDIA Jetson AGX Orin Developer Kit";\n\tserial-number = "1420921012345";'
    text = re.sub(r'\bmodel = "linux,dummy-virt";', model, text, count=1)
    text = re.sub(r'compatible = "linux,dummy-virt";', f"compatible = {names};", text, count=1)
    # Lets cpufreq register cooling devices.
    text = re.sub(r"(\n\t\tcpu@[0-9a-f]+ \{)", r"\1 #cooling-cells = <2>;", text)
    return re.sub(r"\n\tpsci \{", _devices(jetpack) + "\n\n\tpsci {", text, count=1)


def _devices(jetpack: int) -> str:
    gpu = "gpu@17000000" if jetpack >= 6 else "ga10b@17000000"
    monitors = "".join(_monitor(address, labels) for address, labels in _RAILS.items())
    devices = f"""
{gpu} {{ compatible = "nvidia,ga10b"; reg = <0x0 0x17000000 0x0 0x1000>; }};
i2c@c240000 {{
  compatible = "nvidia,tegra194-i2c"; reg = <0x0 0xc240000 0x0 0x100>; #address-cells = <1>; #size-cells = <0>;
{monitors}}};"""
    if jetpack < 6:
        return devices
    return f'\nbus@0 {{ compatible = "simple-bus"; #address-cells = <2>; #size-cells = <2>; ranges;{devices}\n}};'


def _monitor(address: int, labels: tuple[str | None, ...]) -> str:
    channels = "".join(
        f'    channel@{number} {{ reg = <{number}>; label = "{label}"; shunt-resistor-micro-ohms = <2000>; }};\n'
        if label
        else f'    channel@{number} {{ reg = <{number}>; status = "disabled"; }};\n'
        for number, label in enumerate(labels)
    )
    return f"""  ina3221@{address:x} {{
    compatible = "ti,ina3221"; reg = <{address}>; #address-cells = <1>; #size-cells = <0>;
{channels}  }};
"""
