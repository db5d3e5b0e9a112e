"""Boots the emulated board once, lets it run scenarios, and reads what became of them."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from real_kernel.build import Machine, as_owner_of_images
from real_kernel.debian import run
from real_kernel.device_tree import MACHINE, build_device_tree
from real_kernel.kernel import pack_initrd

REPOSITORY = Path(__file__).parents[2]

# Guest time counts instructions, and a guest that waits skips ahead: no time-out depends on how busy this computer is.
_CLOCK = ("-accel", "tcg,thread=single", "-icount", "shift=2,sleep=off")
_KERNEL_OPTIONS = (
    "console=ttyAMA0 loglevel=4 panic=-1 nokaslr mitigations=off init_on_alloc=0 init_on_free=0 audit=0 "
    "cryptomgr.notests rcupdate.rcu_expedited=1"
)


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario: ``"passed"``, ``"failed"`` or ``"skipped"``, and why."""

    state: str
    text: str


@dataclass(frozen=True)
class Run:
    """What one boot left.

    Attributes:
        outcomes: By name of the scenario.
        output: What pytest printed on the board, and the last lines of the board's console.
        complaints: Warnings of the board's kernel, and writes that nobody may do.
    """

    outcomes: dict[str, Outcome]
    output: str
    complaints: str


def boot(machine: Machine, scenarios: list[str], folder: Path, limit_s: float = 1500) -> Run:
    """Runs scenarios on a board that nothing has touched yet.

    Args:
        machine: What to boot.
        scenarios: What pytest on the board runs.
        folder: An empty folder.
        limit_s: After so many seconds the board is switched off.
    """
    share = folder / "share"
    share.mkdir()
    (share / "scenarios").write_text("\n".join(scenarios) + "\n")
    library = _library_disk(machine.python, folder)
    initrd = pack_initrd(machine.kernel, Path(__file__).parent / "guest/init", folder)
    tree = build_device_tree(machine.jetpack, folder)
    options = f"{_KERNEL_OPTIONS} {machine.kernel_options}"
    command = [
        *("qemu-system-aarch64", *MACHINE, *_CLOCK, "-nodefaults", "-nographic", "-net", "none", "-no-reboot"),
        *("-serial", "stdio", "-monitor", "none", "-kernel", str(machine.kernel / "vmlinuz")),
        *("-initrd", str(initrd), "-dtb", str(tree), "-append", options),
        *("-drive", f"file={machine.root},format=raw,if=none,id=root,snapshot=on"),
        *("-device", "virtio-blk-device,drive=root,serial=root"),
        *("-drive", f"file={library},format=raw,if=none,id=library,readonly=on"),
        *("-device", "virtio-blk-device,drive=library,serial=library"),
        *("-fsdev", f"local,id=share,path={share},security_model=none"),
        *("-device", "virtio-9p-device,fsdev=share,mount_tag=share"),
    ]
    with (folder / "console.txt").open("wb") as console:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=limit_s)
        except subprocess.TimeoutExpired:
            console.write(f"\nswitched off after {limit_s} s\n".encode())
    return _read(share, (folder / "console.txt").read_text(errors="replace"))


def _library_disk(python: str, folder: Path) -> Path:
    """This package and the scenarios, on a disk of their own."""
    content, image = folder / "library", folder / "library.img"
    package = content / "lightning_powertrain"
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "lightning_powertrain", package, ignore=compiled)
    shutil.copytree(REPOSITORY / "callbacks", package / "callbacks", ignore=compiled)
    shutil.copytree(Path(__file__).parent / "guest", content / "guest", ignore=compiled)
    version = metadata.version("lightning-powertrain")
    info = content / f"lightning_powertrain-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lightning-powertrain\nVersion: {version}\n")
    hashed = ("--invalidation-mode", "unchecked-hash")
    run(python, "-m", "compileall", "-q", *hashed, "-s", str(content), "-p", "/opt/powertrain", str(content))
    run("truncate", "-s", "64M", str(image))
    run(
        *as_owner_of_images(),
        "mkfs.ext4",
        "-q",
        "-F",
        "-d",
        str(content),
        "-O",
        "^metadata_csum,^64bit,^has_journal",
        str(image),
    )
    return image


def _read(share: Path, console: str) -> Run:
    output = _text(share / "output.txt") + "\n" + "\n".join(console.splitlines()[-20:])
    outcomes = {}
    if (share / "results.xml").exists():
        for case in ElementTree.parse(share / "results.xml").iter("testcase"):
            outcomes[case.attrib["name"]] = _outcome(case)
    return Run(outcomes, output, _text(share / "complaints.txt"))


def _outcome(case: ElementTree.Element) -> Outcome:
    for kind, state in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            return Outcome(state, found.text or found.attrib.get("message", ""))
    return Outcome("passed", "")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
