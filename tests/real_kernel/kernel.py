"""A kernel of Debian with the modules that make a board of it: packages in, kernel image and initramfs out."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from pathlib import Path

from real_kernel.debian import ENVIRONMENT, Suite, run, unpack

SOURCE = Path(__file__).parent / "kernel"

_DISK_AND_SHARE = ("virtio_mmio", "virtio_blk", "crc32c_generic", "ext4", "9pnet_virtio", "9p")
_GOVERNORS = ("cpufreq_powersave", "cpufreq_userspace", "cpufreq_conservative", "cpufreq_ondemand")
_MODULES = (*_DISK_AND_SHARE, *_GOVERNORS, "governor_simpleondemand")
_BUILT = ("governor_performance", "governor_powersave", "governor_userspace", "realboard", "ina3221")
_KERNEL_SOURCES = (
    "drivers/hwmon/ina3221.c",
    "drivers/devfreq/governor.h",
    "drivers/devfreq/governor_performance.c",
    "drivers/devfreq/governor_powersave.c",
    "drivers/devfreq/governor_userspace.c",
)


def build_kernel(series: str, suite: Suite, busybox: Path, folder: Path) -> None:
    """Puts ``vmlinuz``, ``busybox`` and the folder ``modules`` into ``folder``.

    Args:
        series: As in ``"5.10"``.
        suite: The release of Debian that has this kernel.
        busybox: A busybox for arm64.
        folder: Where to build, too.
    """
    image, headers = suite.depends("linux-image-arm64"), suite.depends("linux-headers-arm64")
    release, host = headers.replace("linux-headers-", ""), run("dpkg", "--print-architecture").strip()
    common = headers.replace("-arm64", "-common")
    kernel, built = folder / "kernel", folder / "built"
    packages = [f"{image}:arm64", f"{headers}:arm64", f"{common}:all", f"linux-kbuild-{series}:{host}"]
    for archive in suite.fetch(packages):
        unpack(archive, kernel)
    shutil.copytree(SOURCE, built)
    _copy_kernel_sources(series, suite, built)
    _compile(kernel, release, built)
    shutil.copy(kernel / f"boot/vmlinuz-{release}", folder / "vmlinuz")
    shutil.copy(busybox, folder / "busybox")
    _collect_modules(kernel, release, built, folder / "modules")
    shutil.rmtree(kernel)
    shutil.rmtree(built)


def _copy_kernel_sources(series: str, suite: Suite, folder: Path) -> None:
    source = folder / "source"
    (archive,) = suite.fetch([f"linux-source-{series}:all"])
    unpack(archive, source, "./usr/src/linux-source-*.tar.xz")
    (tarball,) = source.rglob("linux-source-*.tar.xz")
    members = [f"linux-source-{series}/{path}" for path in _KERNEL_SOURCES]
    run("tar", "-x", "-C", str(source), "-f", str(tarball), *members)
    for path in _KERNEL_SOURCES:
        shutil.copy(source / f"linux-source-{series}" / path, folder)
    shutil.rmtree(source)


def _compile(kernel: Path, release: str, modules: Path) -> None:
    """Compiles the modules against Debian's headers, which name each other as if they were installed."""
    headers = kernel / "usr/src" / f"linux-headers-{release}"
    common = kernel / "usr/src" / f"linux-headers-{release.replace('-arm64', '-common')}"
    (kbuild,) = (kernel / "usr/lib").glob("linux-kbuild-*")
    for folder in (headers, common):
        for link in ("scripts", "tools"):
            if (folder / link).is_symlink():
                (folder / link).unlink()
                (folder / link).symlink_to(kbuild / link)
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/linux-headers", f"{kernel}/usr/src/linux-headers"))
    make = ["make", "-C", str(headers), f"M={modules}", "ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"]
    run(*make, "CC=aarch64-linux-gnu-gcc", "modules")


def _collect_modules(kernel: Path, release: str, built: Path, folder: Path) -> None:
    """Puts every module that is loaded into ``folder``, and their order into a file beside them."""
    folder.mkdir()
    run("depmod", "-b", str(kernel), release)
    order: list[str] = []
    for module in _MODULES:
        # Some are part of the kernel, which modprobe says by failing.
        modprobe = ["modprobe", "-d", str(kernel), "-S", release, "--show-depends", module]
        for line in subprocess.run(modprobe, env=ENVIRONMENT, capture_output=True, text=True).stdout.splitlines():
            kind, path = line.split()[:2]
            if kind == "insmod" and Path(path).name.replace(".xz", "") not in order:
                order.append(_add(Path(path), folder))
    order += [_add(built / f"{module}.ko", folder) for module in _BUILT]
    (folder / "order").write_text("\n".join(order) + "\n")


def _add(module: Path, folder: Path) -> str:
    content = lzma.decompress(module.read_bytes()) if module.suffix == ".xz" else module.read_bytes()
    name = module.name.replace(".xz", "")
    (folder / name).write_bytes(content)
    return name


def pack_initrd(kernel: Path, init: Path, folder: Path) -> Path:
    """An initramfs, in ``folder``, of what :func:`build_kernel` made."""
    root, packed = folder / "initrd", folder / "initrd.gz"
    for name in ("bin", "proc", "sys", "dev", "mnt"):
        (root / name).mkdir(parents=True)
    shutil.copytree(kernel / "modules", root / "modules")
    shutil.copy(kernel / "busybox", root / "bin/busybox")
    shutil.copy(init, root / "init")
    (root / "init").chmod(0o755)
    names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
    cpio = ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"]
    archive = subprocess.run(cpio, cwd=root, check=True, input=names, stdout=subprocess.PIPE).stdout
    packed.write_bytes(gzip.compress(archive, 1))
    shutil.rmtree(root)
    return packed
