"""Captures: what they take of a board, what they leave out, and that a board made of one is read as the board was."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from plain_board import PlainBoard, start_helper
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.devices import SysfsDevice, inspection
from lightning_powertrain.devices.capture import Capture, capture, read_archive, write_archive
from lightning_powertrain.devices.capture import files as capture_files
from lightning_powertrain.devices.capture.redaction import Redaction
from lightning_powertrain.devices.diagnosis import diagnose
from lightning_powertrain.devices.facts import TorchFacts
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.errors import DeviceError, FileFormatError
from lightning_powertrain.testing import unpack_capture

Mount = Callable[..., MountedBoard]
SERIAL = "1420921055271"
NOBODY = 65534


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "SAMPLING_S", 0.25)
    monkeypatch.setattr(inspection, "torch_facts", lambda: TorchFacts("2.8.0", "12.6", "Orin"))
    monkeypatch.setattr(inspection.JtopPower, "installed", lambda: False)


def round_trip(root: Path, folder: Path) -> Path:
    """The board under ``root``, captured and unpacked."""
    write_archive(capture(root), folder / "board.tar.gz")
    return unpack_capture(folder / "board.tar.gz", folder / "unpacked")


def findings(root: Path) -> list[tuple[str, str, str, str]]:
    """What doctor says of a board, without figures that move by themselves, and how fast a busy machine samples."""
    findings = diagnose(inspection.inspect(root, lambda: start_helper(root)))
    moving = ("power",)
    return [
        (each.check, each.status, re.sub(r"[\d.]+", "#", each.text) if each.check in moving else each.text, each.fix)
        for each in findings
        if each.check != "sampling"
    ]


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_made_of_a_capture_is_read_as_the_board(virtual_board: Mount, name: str, tmp_path: Path) -> None:
    # Clocks of a cluster that sleeps cannot be read, and a board of plain files cannot wake one.
    board = virtual_board(name, **({"preset": "MAXN"} if name == "tx2-jp4" else {}))
    board.heat(50.0)
    before = board.settings()
    unpacked = round_trip(board.root, tmp_path)
    assert board.settings() == before
    assert not [write for write in board.writes() if not write["path"].startswith("/run/")]
    real, copy = (SysfsDevice(root, lambda root=root: start_helper(root)) for root in (board.root, unpacked))
    assert copy.board.key == real.board.key
    assert copy.board.title == real.board.title
    assert copy.modes == real.modes
    assert copy.current_mode() == real.current_mode()
    assert copy.power_source == real.power_source
    assert set(copy.read_power().rails_w) == set(real.read_power().rails_w)
    assert copy.settle_s == real.settle_s
    assert copy.health() == real.health()
    assert set(copy.temperatures_c) == set(real.temperatures_c)
    real.close()
    copy.close()
    assert findings(unpacked) == findings(board.root)


CLOSED = {
    "tx2-jp4": "sys/bus/i2c/devices/0-0040/iio:device",
    "orin-agx-jp5": "sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
}


@pytest.mark.parametrize(("name", "closed"), CLOSED.items(), ids=CLOSED)
def test_an_ordinary_user_captures_what_they_see(virtual_board: Mount, name: str, closed: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    board = virtual_board(name)
    capture(board.root)  # Imports what it needs, perhaps from a folder that only root may enter.
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        taken = capture(board.root)
    finally:
        os.seteuid(0)
        os.setegid(0)
    write_archive(taken, tmp_path / "board.tar.gz")
    unread = {path: reason for path, reason in taken.about["unread"].items() if path.startswith(closed)}
    assert set(unread.values()) == {"Permission denied"}
    assert not [path for path in taken.files if "bpmp" in path]
    unpacked = unpack_capture(tmp_path / "board.tar.gz", tmp_path / "unpacked")
    assert all((unpacked / path).exists() for path in unread), "they are there, for whoever looks"
    assert SysfsDevice(unpacked).board.key == board_key(board.root)


def board_key(root: Path) -> str:
    return SysfsDevice(root).board.key


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-nano-jp6", "tx2-jp4", "thor-jp7"])
def test_it_reads_what_the_library_reads_and_nothing_else(virtual_board: Mount, name: str) -> None:
    """What is opened is seen by an audit hook of Python itself."""
    board = virtual_board(name)
    by_library = opened(board.root, lambda: read_all(board.root))
    by_capture = opened(board.root, lambda: capture_files.read_files(board.root))
    # Serial number and control groups are left out on purpose; more GPUs are looked at than the one that counts.
    left_out = {"proc/device-tree/serial-number", "proc/self/cgroup"}
    searched = {path for path in by_library if path.endswith(("of_node/name", "available_frequencies", "tpc_pg_mask"))}
    assert by_library - by_capture - searched <= left_out
    kinds = {"update_interval", *map(kind_of, by_library)}  # Thor's total has no such file, but its other rails do.
    assert {path for path in by_capture if kind_of(path) not in kinds} == set()


def kind_of(path: str) -> str:
    """The same for files that differ by number only."""
    return re.sub(r"\d+", "#", path.rsplit("/", 1)[1])


def read_all(root: Path) -> None:
    """Read a board as a job, its root helper and doctor do."""
    device = SysfsDevice(root)
    device.health()
    device.read_load()
    device.read_cpu_times()
    assert device.temperatures_c
    find_knobs(root).texts()
    inspection.inspect(root, no_helper)


def no_helper() -> Any:
    raise DeviceError("not for this test")


_heard: list[str] = []
_listening = [False]


def _hear(event: str, details: tuple[Any, ...]) -> None:
    if _listening[0] and event == "open" and isinstance(details[0], (str, os.PathLike)):
        _heard.append(os.fspath(details[0]))


def opened(root: Path, act: Callable[[], object]) -> set[str]:
    """Files below ``root`` that are opened and are there, by one of their names."""
    if _hear not in _hooks:
        sys.addaudithook(_hear)
        _hooks.append(_hear)
    _heard.clear()
    _listening[0] = True
    try:
        act()
    finally:
        _listening[0] = False
    paths = {Path(each) for each in _heard if each.startswith(str(root))}
    return {path.relative_to(root).as_posix() for path in paths if path.is_file()}


_hooks: list[Any] = []


def test_what_names_the_board_or_its_owner_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "alice")
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setattr("platform.node", lambda: "alices-robot")
    root = tmp_path / "root"
    PlainBoard(root)
    (root / "proc/device-tree/serial-number").write_text(f"{SERIAL}\0")
    conf = (
        "# by Alice, alice@example.org, for 48:b0:2d:12:34:56\n< POWER_MODEL ID=0 NAME=MAXN > # mine\nEMC MAX_FREQ 0\n"
    )
    (root / "etc/nvpmodel.conf").write_text(conf)
    (root / "etc/nv_tegra_release").write_text(f"# R36 (release), REVISION: 4.4, BOARD: {SERIAL} at alices-robot\n")
    monkeypatch.setattr(
        inspection,
        "torch_facts",
        lambda: TorchFacts(error="/home/alice/venv: id 48:b0:2d:12:34:56 10.1.2.3 deadbeef0123"),
    )
    write_archive(capture(root), tmp_path / "board.tar.gz")
    taken = read_archive(tmp_path / "board.tar.gz")
    everything = b"".join([*taken.files.values(), json.dumps([taken.about, taken.doctor]).encode()]).decode()
    for secret in ("alice", "Alice", SERIAL, "48:b0", "10.1.2.3", "deadbeef0123"):
        assert secret not in everything, secret
    assert taken.files["etc/nvpmodel.conf"] == b"< POWER_MODEL ID=0 NAME=MAXN >\nEMC MAX_FREQ 0\n"
    assert taken.files["etc/nv_tegra_release"] == b"# R36 (release), REVISION: 4.4, BOARD: SERIAL at HOST\n"
    with tarfile.open(tmp_path / "board.tar.gz") as archive:
        assert {(each.uname, each.gname, each.uid, each.mtime) for each in archive} == {("", "", 0, 0)}
    assert b"board.tar" not in (tmp_path / "board.tar.gz").read_bytes()[:64]


def test_names_that_everybodys_board_has_stay(tmp_path: Path) -> None:
    redaction = Redaction(tmp_path, [("nvidia", "USER"), ("ubuntu", "HOST"), ("al", "USER"), ("bob", "USER")])
    kept = "nvidia,p3701-0005 --runtime nvidia, ubuntu, 9223372036854775807, 1300500000, al bobbin"
    assert redaction.clean(kept) == kept
    assert redaction.clean("for bob: /home/carol/x") == "for USER: /home/USER/x"
    assert redaction.clean("a" * 12) == "ID"


def test_the_root_helper_is_not_started_and_doctor_is_in_it(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    taken = capture(tmp_path)
    (helper,) = [each for each in taken.doctor["findings"] if each["check"] == "root helper"]
    assert helper["status"] == "note"
    assert [each["check"] for each in taken.doctor["findings"]].count("nvpmodel") == 1
    assert board.settings() == before
    assert not (tmp_path / "run").exists()


def test_a_read_that_blocks_and_what_is_no_file_hold_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlainBoard(tmp_path)
    monkeypatch.setattr(capture_files, "_FILE_PATIENCE_S", 0.2)
    blocked, read = threading.Event(), os.read

    def blocking(source: int, length: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{source}").endswith("nv_tegra_release"):
            blocked.wait(30)
        return read(source, length)

    monkeypatch.setattr(capture_files.os, "read", blocking)
    (tmp_path / "etc/nvpmodel.conf").symlink_to("/dev/zero")
    sensor = tmp_path / "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in2_input"
    sensor.unlink()
    os.mkfifo(sensor)
    unread = capture_files.read_files(tmp_path).unread
    blocked.set()
    time.sleep(0.05)  # the reader ends
    assert unread["etc/nv_tegra_release"] == "did not answer within 0.2 s"
    assert unread["etc/nvpmodel.conf"] == "no regular file"
    assert unread["sys/bus/i2c/devices/1-0040/hwmon/hwmon3/in2_input"] == "no regular file"


def packed(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    """An archive with members of a name, a type and a content."""
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), "/etc"
            archive.addfile(member, io.BytesIO(content))
    return path


LISTS = (("capture.json", tarfile.REGTYPE, b'{"format": 1}'), ("doctor.json", tarfile.REGTYPE, b"{}"))


@pytest.mark.parametrize("name", ["board/../../outside", "/board/outside", "../outside"])
def test_an_archive_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "a.tar.gz", *LISTS, (name, tarfile.REGTYPE, b"x"))
    with pytest.raises(FileFormatError, match="leads outside"):
        unpack_capture(archive, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()


def test_links_and_devices_of_an_archive_are_not_made(tmp_path: Path) -> None:
    members = [(f"board/{n}", kind, b"") for n, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE))]
    unpacked = unpack_capture(packed(tmp_path / "a.tar.gz", *LISTS, *members), tmp_path / "unpacked")
    assert [path.name for path in unpacked.iterdir()] == ["proc"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08"])
def test_what_is_no_capture_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(FileFormatError, match="is no capture of powertrain"):
        read_archive(tmp_path / "a.tar.gz")
    with pytest.raises(FileFormatError, match="of format 2; this version reads 1"):
        read_archive(packed(tmp_path / "b.tar.gz", ("capture.json", tarfile.REGTYPE, b'{"format": 2}'), LISTS[1]))


def test_a_folder_in_use_is_not_written_into(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar.gz", *LISTS)
    with pytest.raises(FileFormatError, match="is not empty"):
        unpack_capture(archive, tmp_path)


def test_this_machine_is_no_board_and_can_be_captured_all_the_same(tmp_path: Path) -> None:
    taken = capture(tmp_path)
    assert isinstance(taken, Capture)
    assert taken.files == {}
    assert "this is not a Jetson" in taken.doctor["findings"][0]["text"]
    assert socket.gethostname() not in json.dumps(taken.doctor)
