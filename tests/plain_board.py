"""A board of plain files: shaped like an Orin on JetPack 5, but nothing in it behaves. Quick enough to be fuzzed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.helper_transport import HelperProcess
from lightning_powertrain.devices.helper_ways import PYTHON_FLAGS, SOURCE_FOLDER

CPU_KHZ = (115200, 729600, 1728000, 2201600)
GPU_HZ = (114750000, 522750000, 1300500000)
EMC_HZ = (204000000, 2133000000, 3199000000)
_CPU = "sys/devices/system/cpu"
_GPU = "sys/devices/17000000.ga10b"
_HWMON = "sys/bus/i2c/devices/1-0040/hwmon/hwmon3"
_BPMP = "sys/kernel/debug/bpmp/debug"


class PlainBoard:
    """A tree of files under ``root``.

    Args:
        root: An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in _files().items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "sys/class/devfreq").mkdir(parents=True)
        (root / "sys/class/devfreq/17000000.ga10b").symlink_to(root / _GPU / "devfreq/17000000.ga10b")

    def settings(self) -> dict[str, str]:
        """Text of every file, by path, but for what the helper keeps for itself and what moves by itself."""
        files = {f"/{path.relative_to(self.root)}": path for path in self.root.rglob("*") if path.is_file()}
        texts = {name: path.read_text().rstrip("\n") for name, path in files.items() if not name.startswith("/run/")}
        if texts[f"/{_BPMP}/clk/emc/mrq_rate_locked"] == "0":
            del texts[f"/{_BPMP}/clk/emc/rate"]
        return texts

    def reboot(self) -> None:
        (self.root / "proc/sys/kernel/random/boot_id").write_text("another\n")


def helper_command(root: Path) -> list[str]:
    """How to start the helper on a board under ``root``."""
    return [sys.executable, PYTHON_FLAGS, str(SOURCE_FOLDER), "--root", str(root)]


def start_helper(root: Path) -> HelperClient:
    return HelperClient(helper_command(root))


def process_of(client: HelperClient) -> subprocess.Popen[bytes]:
    """The helper that a client has started itself."""
    assert isinstance(client._transport, HelperProcess)
    return client._transport.process


def _files() -> dict[str, str]:
    files = {
        "etc/nv_tegra_release": "# R35 (release), REVISION: 4.1\n",
        "proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        "proc/device-tree/model": "A board of plain files\0",
        "proc/sys/kernel/random/boot_id": "one\n",
        f"{_CPU}/cpu0/online": "1\n",
        f"{_GPU}/tpc_pg_mask": "240\n",
        f"{_GPU}/devfreq/17000000.ga10b/available_frequencies": _listed(GPU_HZ),
        f"{_GPU}/devfreq/17000000.ga10b/min_freq": "114750000\n",
        f"{_GPU}/devfreq/17000000.ga10b/max_freq": "522750000\n",
        "sys/kernel/nvpmodel_emc_cap/emc_iso_cap": "0\n",
        f"{_BPMP}/emc/possible_rates": f"{_listed([rate // 1000 for rate in EMC_HZ])[:-1]}(kHz)\n",
        f"{_BPMP}/clk/emc/mrq_rate_locked": "0\n",
        f"{_BPMP}/clk/emc/rate": "2133000000\n",
        "sys/bus/i2c/devices/1-0040/name": "ina3221\n",
        f"{_HWMON}/in1_label": "VDD_GPU_SOC\n",
        f"{_HWMON}/in1_input": "20000\n",
        f"{_HWMON}/curr1_input": "500\n",
        f"{_HWMON}/in2_label": "VDD_CPU_CV\n",
        f"{_HWMON}/in2_input": "20000\n",
        f"{_HWMON}/curr2_input": "100\n",
        f"{_HWMON}/in3_label": "NC\n",
        f"{_HWMON}/update_interval": "430\n",
    }
    for cpu in range(1, 8):
        files[f"{_CPU}/cpu{cpu}/online"] = "0\n" if cpu > 5 else "1\n"
    for policy in (0, 4):
        folder = f"{_CPU}/cpufreq/policy{policy}"
        files[f"{folder}/related_cpus"] = _listed(range(policy, policy + 4))
        files[f"{folder}/affected_cpus"] = _listed(range(policy, min(policy + 4, 6)))
        files[f"{folder}/scaling_available_frequencies"] = _listed(CPU_KHZ)
        files[f"{folder}/scaling_min_freq"] = "729600\n"
        files[f"{folder}/scaling_max_freq"] = "1728000\n"
        files[f"{folder}/scaling_governor"] = "schedutil\n"
    return files


def _listed(values: Sequence[int]) -> str:
    return " ".join(map(str, values)) + " \n"
