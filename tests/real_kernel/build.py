"""Builds what the emulated board is made of, once: two kernels of Debian, a root file system, a device tree.

Parts are kept in a cache folder until their recipe changes or somebody removes the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from real_kernel.debian import ENVIRONMENT, MissingError, Suite, run, unpack
from real_kernel.kernel import SOURCE, build_kernel

HERE = Path(__file__).parent

_RELEASES = {"5.10": "bullseye", "6.1": "bookworm"}
_JETPACKS = {"5.10": 5, "6.1": 6}
# cgroup version 1 is what JetPack 4 and 5 use, version 2 what later ones do.
_KERNEL_OPTIONS = {"5.10": "systemd.unified_cgroup_hierarchy=0", "6.1": "systemd.unified_cgroup_hierarchy=1"}
_ROOT_RELEASE = "bookworm"
_PYTHON = (3, 11)
_TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "dtc": "device-tree-compiler",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "make": "make",
    "mkfs.ext4": "e2fsprogs",
    "cpio": "cpio",
    "modprobe": "kmod",
    "xz": "xz-utils",
}
_PACKAGES = (
    *("base-files", "base-passwd", "bash", "coreutils", "dash", "findutils", "grep", "sed", "hostname", "util-linux"),
    *("mount", "login", "passwd", "procps", "kmod", "sudo", "systemd", "systemd-sysv", "dbus", "python3"),
    *("busybox-static", "libgomp1", "libstdc++6"),
)
_WHEELS = ("--platform=manylinux2014_aarch64", "--platform=manylinux_2_17_aarch64", "--python-version=3.11")
# Parts of torch that only serve compilers and its own tests.
_LEFT_OUT = ("torch/include", "torch/share", "torch/test")


@dataclass(frozen=True)
class Machine:
    """What QEMU needs to boot the board.

    Attributes:
        kernel: Folder with ``vmlinuz``, ``busybox`` and the modules.
        root: Image of the root file system.
        python: An interpreter of the version that the board has, to compile for it.
        kernel_options: What its command line says of this board.
        jetpack: Which JetPack's device tree it has.
    """

    kernel: Path
    root: Path
    python: str
    kernel_options: str
    jetpack: int


def machine(series: str) -> Machine:
    """The board with the kernel of a series, ``"5.10"`` or ``"6.1"``, built now if it is not there yet.

    Raises:
        MissingError: Tools, packages or the network are missing; the message says which.
    """
    missing = [f"{tool} ({package})" for tool, package in _TOOLS.items() if not _which(tool)]
    if missing:
        raise MissingError(f"not installed: {', '.join(missing)}; .ci/real-kernel installs what it can, as root")
    if not SOURCE.is_dir():
        raise MissingError("the kernel module is only in a clone of the repository, not in its source archive")
    if os.geteuid() != 0 and not _which("fakeroot"):
        raise MissingError("fakeroot is not installed, and images need files that belong to root")
    python = sys.executable if sys.version_info[:2] == _PYTHON else _which("python{}.{}".format(*_PYTHON))
    if python is None:
        raise MissingError("python{}.{} is not installed, and the board cannot compile for itself".format(*_PYTHON))
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    site = _part("site", [HERE / "guest-requirements.txt", *_LEFT_OUT], _build_site)
    root = _part(
        "root", [HERE / "make-root.sh", site.name, *_PACKAGES], lambda folder: _build_root(site, python, folder)
    )
    recipe = [*sorted(SOURCE.iterdir()), HERE / "kernel.py"]
    kernel = _part(f"kernel-{series}", recipe, lambda folder: _build_kernel(series, folder))
    options = f"{_KERNEL_OPTIONS[series]} board=jp={_JETPACKS[series]}"
    return Machine(kernel, root / "root.img", python, options, _JETPACKS[series])


def cache_folder() -> Path:
    """Where the parts are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lightning-powertrain-real-kernel"


def as_owner_of_images() -> list[str]:
    """What to put before a command whose images contain files of root."""
    return [] if os.geteuid() == 0 else ["fakeroot"]


def _part(name: str, inputs: Iterable[Path | str], build: Callable[[Path], None]) -> Path:
    """A folder of the cache that was built from these inputs; those built from others before it are removed."""
    digest = hashlib.sha256()
    for each in inputs:
        digest.update(each.read_bytes() if isinstance(each, Path) else each.encode())
    cache = cache_folder()
    folder = cache / f"{name}-{digest.hexdigest()[:12]}"
    if folder.exists():
        return folder
    with _locked(cache):
        if folder.exists():
            return folder
        for old in cache.glob(f"{name}-????????????*"):
            shutil.rmtree(old)
        part = cache / f"{folder.name}.part"
        part.mkdir()
        build(part)
        part.rename(folder)
    return folder


def _build_site(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    abis = ("--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none")
    wanted = ("--target", str(folder), "-r", str(HERE / "guest-requirements.txt"))
    run(*pip, *_WHEELS, *abis, *wanted, failure=MissingError)
    for name in _LEFT_OUT:
        shutil.rmtree(folder / name, ignore_errors=True)


def _build_root(site: Path, python: str, folder: Path) -> None:
    archives = _suite(_ROOT_RELEASE).fetch_all(_PACKAGES)
    (folder / "debs").write_text("".join(f"{archive}\n" for archive in archives))
    script = [str(HERE / "make-root.sh"), str(folder / "debs"), str(site), python]
    run(*as_owner_of_images(), "bash", *script, str(folder / "root.img"))


def _build_kernel(series: str, folder: Path) -> None:
    (archive,) = _suite(_ROOT_RELEASE).fetch(["busybox-static:arm64"])
    unpacked = folder / "unpacked"
    unpack(archive, unpacked)
    build_kernel(series, _suite(_RELEASES[series]), unpacked / "bin/busybox", folder)
    shutil.rmtree(unpacked)


def _suite(release: str) -> Suite:
    return Suite(release, cache_folder() / "debian" / release)


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=ENVIRONMENT["PATH"])


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
