"""What a board says of itself: its release, its name, its stock modes."""

from __future__ import annotations

from lightning_powertrain.boards import Board, Preset
from virtual_board.cpu import Cluster
from virtual_board.nodes import Directory, DiskFile, KernelFile, Tree, constant, read_only
from virtual_board.specs import Spec

_DEVICE_TREE = "/sys/firmware/devicetree/base"


def place_identity(tree: Tree, spec: Spec, boot_id: str) -> None:
    """Files in ``/proc`` and ``/sys`` that name the board, the chip and the boot."""
    tree.place(f"{_DEVICE_TREE}/model", _property(spec.model))
    tree.place(f"{_DEVICE_TREE}/compatible", _property(*spec.compatible))
    tree.link("/proc/device-tree", _DEVICE_TREE)
    tree.place("/proc/sys/kernel/random/boot_id", read_only(lambda: boot_id, size=0))
    tree.place("/sys/module/tegra_fuse/parameters/tegra_chip_id", constant(spec.chip_id))
    gpu = f"{_DEVICE_TREE}/gpu"
    tree.place(f"{gpu}/name", _property("gpu" if spec.jetpack >= 6 else spec.gpu.split(".")[-1]))
    tree.place(f"{gpu}/compatible", _property(spec.gpu_compatible))
    tree.link(f"/sys/devices/{spec.gpu}/of_node", gpu)


def place_disk(tree: Tree, spec: Spec, board: Board, preset: Preset) -> None:
    """Files on the disk: they survive a reboot."""
    conf = f"/etc/nvpmodel/nvpmodel_{spec.key.replace('-', '_')}.conf"
    files = {
        "/etc/nv_tegra_release": f"# {spec.release}, GCID: 0, BOARD: generic, EABI: aarch64, DATE: Thu Jan  1 2026\n",
        conf: nvpmodel_conf(spec, board),
        "/var/lib/nvpmodel/status": f"pmode:{preset.id:04d}\n",
    }
    if spec.jetpack >= 6:
        files["/var/lib/nvpmodel/conf_file_path"] = f"{conf}\n"
    for path, text in files.items():
        tree.place(path, DiskFile(data=bytearray(text.encode())))
    tree.link("/etc/nvpmodel.conf", conf)
    tree.place("/var/tmp", Directory(mode=0o1777, on_disk=True))
    tree.place("/tmp", Directory(mode=0o1777, on_disk=True))


def nvpmodel_conf(spec: Spec, board: Board) -> str:
    """The stock modes of the catalogue, written the way nvpmodel has them."""
    online = "\n".join(f"CORE_{core} /sys/devices/system/cpu/cpu{core}/online" for core in _switches(spec))
    gpu = f"/sys/devices/{spec.gpu}/devfreq_dev"
    header = (
        f"< PARAM TYPE=FILE NAME=CPU_ONLINE >\n{online}\n\n"
        f"< PARAM TYPE=CLOCK NAME=GPU >\nFREQ_TABLE {gpu}/available_frequencies\n"
        f"MAX_FREQ {gpu}/max_freq\nMIN_FREQ {gpu}/min_freq\n\n"
    )
    modes = "\n".join(_power_model(spec, preset) for preset in board.presets)
    default = next(preset.id for preset in board.presets if preset.name == board.default_preset)
    return f"{header}{modes}\n< PM_CONFIG DEFAULT={default} >\n"


def cores_online(clusters: tuple[Cluster, ...], preset: Preset) -> set[int]:
    """Cores that a stock mode leaves online: of all clusters that share a knob, the first so many."""
    online: set[int] = set()
    for knob in {cluster.cores_knob for cluster in clusters}:
        cores = [core for cluster in clusters if cluster.cores_knob == knob for core in cluster.cores]
        online.update(cores[: preset.caps.get(knob, len(cores))])
    return online


def _switches(spec: Spec) -> list[int]:
    """Cores that the file lists: where the first has no switch, as on TX2, it is left out."""
    cores = sorted(core for cluster in spec.clusters for core in cluster.cores)
    return cores if spec.boot_core_has_switch else cores[1:]


def _power_model(spec: Spec, preset: Preset) -> str:
    online = cores_online(spec.clusters, preset)
    lines = [f"< POWER_MODEL ID={preset.id} NAME={preset.name} >"]
    for core in _switches(spec):
        lines.append(f"CPU_ONLINE CORE_{core} {int(core in online)}")
    lines.append(f"TPC_POWER_GATING TPC_PG_MASK {preset.tpc_pg_mask or 0}")
    for number, cluster in enumerate(spec.clusters):
        lines.append(f"CPU_CLUSTER_{number} MIN_FREQ {spec.cpu_floor_khz}")
        lines.append(f"CPU_CLUSTER_{number} MAX_FREQ {preset.caps.get(cluster.khz_knob, -1)}")
    lines.append("GPU MIN_FREQ 0")
    lines.append(f"GPU MAX_FREQ {preset.caps.get('gpu_hz', -1)}")
    lines.append(f"EMC MAX_FREQ {preset.caps.get('emc_hz', 0)}")
    return "\n".join(lines) + "\n"


def _property(*values: str) -> KernelFile:
    """A device-tree property: strings that each end in a NUL, and no newline."""
    content = "".join(f"{value}\0" for value in values).encode()
    return KernelFile(0o444, show=lambda: content, size=len(content))
