"""The virtual boards. What the catalogue does not know (tables of Thor, EMC of Orin NX) is invented here, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from virtual_board.cpu import Cluster

CONTROL = "/.control"
"""Hidden directory of a mounted board, for its orders and answers."""


@dataclass(frozen=True)
class Chip:
    """A power monitor on an I2C bus.

    Args:
        address: Bus and address, such as ``1-0040``.
        labels: Names of its channels; ``NC`` is not connected.
        volts: Voltages of its channels.
        kind: ``ina3221``, ``ina3221x`` (JetPack 4) or ``ina238``.
    """

    address: str
    labels: tuple[str, ...]
    volts: tuple[float, ...]
    kind: str = "ina3221"


@dataclass(frozen=True)
class Spec:
    """A board and the software on it.

    Args:
        key: Its key in the catalogue: tables, presets and rails come from there.
        jetpack: The generation: 4 to 7.
        release: First words of ``/etc/nv_tegra_release``.
        model: Its name in the device tree.
        compatible: Its identification there.
        chip_id: Number of the chip.
        clusters: Its CPU clusters.
        gpu: Path of the GPU's device below ``/sys/devices``.
        gpu_compatible: What the device tree calls the GPU.
        chips: Its power monitors.
        zones: Its thermal zones; those of vision engines, which are off, answer EAGAIN.
        cpu_floor_khz: Lowest CPU clock in the stock presets.
        boot_core_has_switch: Whether ``cpu0/online`` exists.
        drops_sleeping_table: Whether a sleeping policy shows no table: some stable levels of JetPack 5's kernel do not.
        tables: Frequencies that the catalogue does not know, by knob.
    """

    key: str
    jetpack: int
    release: str
    model: str
    compatible: tuple[str, ...]
    chip_id: int
    clusters: tuple[Cluster, ...]
    gpu: str
    gpu_compatible: str
    chips: tuple[Chip, ...]
    zones: tuple[str, ...]
    cpu_floor_khz: int
    boot_core_has_switch: bool = True
    drops_sleeping_table: bool = False
    tables: dict[str, tuple[int, ...]] = field(default_factory=dict)


def _clusters(cores: int, size: int) -> tuple[Cluster, ...]:
    return tuple(Cluster(tuple(range(first, min(first + size, cores)))) for first in range(0, cores, size))


_ZONES_JP5 = ("CPU-therm", "GPU-therm", "CV0-therm", "CV1-therm", "CV2-therm", "SOC0-therm", "tj-therm", "Tboard_tegra")
_ZONES_JP6 = (
    *("cpu-thermal", "gpu-thermal", "cv0-thermal", "cv1-thermal", "cv2-thermal"),
    *("soc0-thermal", "soc1-thermal", "soc2-thermal", "tj-thermal", "tboard-thermal"),
)
_ZONES_XAVIER = ("CPU-therm", "GPU-therm", "AUX-therm", "AO-therm", "Tboard_tegra", "Tdiode_tegra", "tj-therm")
_ZONES_JP4 = ("BCPU-therm", "MCPU-therm", "GPU-therm", "PLL-therm", "Tboard_tegra", "Tdiode_tegra", "PMIC-Die")

_AGX_ORIN_CHIPS = (
    Chip("1-0040", ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), (19.4, 19.4, 5.0)),
    Chip("1-0041", ("NC", "VDDQ_VDD2_1V8AO", "NC"), (0.0, 5.0, 0.0)),
)
_SMALL_ORIN_CHIPS = (Chip("1-0040", ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"), (5.0, 5.0, 5.0)),)
_XAVIER_CHIPS = (
    Chip("1-0040", ("GPU", "CPU", "SOC"), (19.2, 19.2, 19.2)),
    Chip("1-0041", ("CV", "VDDRQ", "SYS5V"), (19.2, 19.2, 5.0)),
)
_TX2_CHIPS = (
    Chip("0-0040", ("VDD_SYS_GPU", "VDD_SYS_SOC", "VDD_4V0_WIFI"), (19.2, 19.2, 4.8), "ina3221x"),
    Chip("0-0041", ("VDD_IN", "VDD_SYS_CPU", "VDD_SYS_DDR"), (19.2, 19.2, 5.0), "ina3221x"),
    Chip("0-0042", ("VDD_MUX", "VDD_5V0_IO_SYS", "VDD_3V3_SYS"), (19.2, 5.0, 3.3), "ina3221x"),
)
_THOR_CHIPS = (
    Chip("2-0040", ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), (19.4, 19.4, 5.0)),
    Chip("2-0044", ("VIN",), (19.6,), "ina238"),
)

_NX_EMC_HZ = (204000000, 665600000, 2133000000, 3199000000)
_THOR_TABLES = {
    "cpu_khz": tuple(range(153000, 2601001, 51000)),
    "gpu_hz": tuple(range(54000000, 1575000001, 9000000)),
    "emc_hz": (665600000, 2133000000, 3200000000, 4266000000),
}

SPECS: dict[str, Spec] = {
    "orin-agx-jp5": Spec(
        key="orin-agx-64gb",
        jetpack=5,
        release="R35 (release), REVISION: 1.0",
        model="NVIDIA Orin Jetson AGX Orin Developer Kit",
        compatible=("nvidia,p3737-0000+p3701-0000", "nvidia,p3701-0000", "nvidia,tegra234"),
        chip_id=35,
        clusters=_clusters(12, 4),
        gpu="17000000.ga10b",
        gpu_compatible="nvidia,ga10b",
        chips=_AGX_ORIN_CHIPS,
        zones=_ZONES_JP5,
        cpu_floor_khz=729600,
        drops_sleeping_table=True,
    ),
    "orin-agx-jp6": Spec(
        key="orin-agx-64gb-jp6",
        jetpack=6,
        release="R36 (release), REVISION: 4.4",
        model="NVIDIA Jetson AGX Orin Developer Kit",
        compatible=("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
        chip_id=35,
        clusters=_clusters(12, 4),
        gpu="platform/bus@0/17000000.gpu",
        gpu_compatible="nvidia,ga10b",
        chips=_AGX_ORIN_CHIPS,
        zones=_ZONES_JP6,
        cpu_floor_khz=729600,
    ),
    "orin-nano-jp6": Spec(
        key="orin-nano-8gb",
        jetpack=6,
        release="R36 (release), REVISION: 4.0",
        model="NVIDIA Jetson Orin Nano Developer Kit",
        compatible=("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
        chip_id=35,
        clusters=_clusters(6, 4),
        gpu="platform/bus@0/17000000.gpu",
        gpu_compatible="nvidia,ga10b",
        chips=_SMALL_ORIN_CHIPS,
        zones=_ZONES_JP6,
        cpu_floor_khz=729600,
    ),
    "orin-nx-jp6": Spec(
        key="orin-nx-16gb",
        jetpack=6,
        release="R36 (release), REVISION: 4.0",
        model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        compatible=("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
        chip_id=35,
        clusters=_clusters(8, 4),
        gpu="platform/bus@0/17000000.gpu",
        gpu_compatible="nvidia,ga10b",
        chips=_SMALL_ORIN_CHIPS,
        zones=_ZONES_JP6,
        cpu_floor_khz=729600,
        tables={"emc_hz": _NX_EMC_HZ},
    ),
    "agx-xavier-jp5": Spec(
        key="agx-xavier",
        jetpack=5,
        release="R35 (release), REVISION: 4.1",
        model="Jetson-AGX",
        compatible=("nvidia,p2972-0000+p2888-0004", "nvidia,p2972-0000", "nvidia,tegra194"),
        chip_id=25,
        clusters=_clusters(8, 2),
        gpu="17000000.gv11b",
        gpu_compatible="nvidia,gv11b",
        chips=_XAVIER_CHIPS,
        zones=_ZONES_XAVIER,
        cpu_floor_khz=1200000,
    ),
    "tx2-jp4": Spec(
        key="tx2",
        jetpack=4,
        release="R32 (release), REVISION: 7.4",
        model="quill",
        compatible=("nvidia,p2597-0000+p3310-1000", "nvidia,quill", "nvidia,tegra186"),
        chip_id=24,
        clusters=(
            Cluster((0, 3, 4, 5), "a57_cores", "a57_khz"),
            Cluster((1, 2), "denver_cores", "denver_khz"),
        ),
        gpu="17000000.gp10b",
        gpu_compatible="nvidia,tegra186-gp10b",
        chips=_TX2_CHIPS,
        zones=_ZONES_JP4,
        cpu_floor_khz=345600,
        boot_core_has_switch=False,
    ),
    "thor-jp7": Spec(
        key="thor",
        jetpack=7,
        release="R38 (release), REVISION: 2.0",
        model="NVIDIA Jetson AGX Thor Developer Kit",
        compatible=("nvidia,p4071-0000+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
        chip_id=38,
        clusters=_clusters(14, 2),
        gpu="platform/bus@0/d0b0000000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/gpu-gpc-0",
        gpu_compatible="pci10de,2b00",
        chips=_THOR_CHIPS,
        zones=("cpu-thermal", "gpu-thermal", "soc012-thermal", "soc345-thermal", "tj-thermal"),
        cpu_floor_khz=153000,
        boot_core_has_switch=False,
        tables=_THOR_TABLES,
    ),
}
