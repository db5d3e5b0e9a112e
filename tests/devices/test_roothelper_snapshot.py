"""What was saved is kept until it is restored, and never overwrites what came later."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_board import PlainBoard, start_helper

from lightning_powertrain.devices.roothelper.server import STATE
from lightning_powertrain.devices.roothelper.snapshot import StateError, Store

TEXTS = {"sys/gpu/max_freq": "522750000\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("one\n")
    return tmp_path / STATE


def locked(folder: Path) -> Store:
    store = Store(folder, folder.parent.parent)
    assert store.lock()
    return store


def texts_in(folder: Path) -> dict[Path, str]:
    return {folder.parent.parent / path: text for path, text in TEXTS.items()}


def saved(folder: Path) -> Path:
    """A snapshot, left behind by a helper that was killed."""
    store = locked(folder)
    store.save(texts_in(folder))
    store.unlock()
    return folder / "snapshot.json"


def failing(name: str, code: int) -> Callable[..., int]:
    """``os.open``, failing for one file."""
    opened = os.open

    def fails(path: Any, *others: Any, **more: Any) -> int:
        if Path(path).name == name:
            raise OSError(code, os.strerror(code), path)
        return opened(path, *others, **more)

    return fails


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("name", ["snapshot.json", "lightning-powertrain"])
def test_a_snapshot_that_cannot_be_read_now_is_kept(
    folder: Path, code: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = saved(folder)
    store = Store(folder, folder.parent.parent)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(name, code))
        with pytest.raises(StateError, match=os.strerror(code)):
            store.lock() and store.load()
    store.forget()
    assert snapshot.exists()
    store.unlock()
    store = locked(folder)
    assert store.load() == texts_in(folder)
    store.unlock()


@pytest.mark.parametrize("kind", ["missing", "unreadable"])
def test_without_a_boot_id_a_snapshot_is_kept(folder: Path, kind: str) -> None:
    snapshot = saved(folder)
    boot_id = folder.parent.parent / "proc/sys/kernel/random/boot_id"
    boot_id.unlink()
    if kind == "unreadable":
        boot_id.mkdir()
    store = locked(folder)
    for refused in (store.load, lambda: store.save({})):
        with pytest.raises(StateError):
            refused()
    assert snapshot.exists()
    store.unlock()


def test_a_snapshot_of_another_boot_is_removed(folder: Path) -> None:
    snapshot = saved(folder)
    (folder.parent.parent / "proc/sys/kernel/random/boot_id").write_text("two\n")
    store = locked(folder)
    assert store.load() == {}
    assert not snapshot.exists()
    assert store.damaged is None
    store.unlock()


NESTED = b"[" * 200_000
DAMAGED = [
    *(b"{", b"\0" * 100, b"[]", NESTED, b" " * (2 << 20), b'{"boot_id": "one", "files": null}', b"\xff\xfe{}"),
    *(b'{"boot_id": "one", "files": {"a": 1}}', b'{"boot_id": "one", "files": {"a": "1; reboot"}}', b'{"files": {}}'),
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_snapshot_is_put_aside(folder: Path, content: bytes) -> None:
    snapshot = saved(folder)
    snapshot.write_bytes(content)
    store = locked(folder)
    assert store.load() == {}
    assert store.damaged == folder / "snapshot.damaged"
    assert store.damaged.read_bytes() == content
    assert not snapshot.exists()
    store.unlock()


def make_link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "precious")


def make_hard_link(path: Path) -> None:
    os.link(path.parent.parent / "precious", path)


MAKERS: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "FIFO": os.mkfifo,
    "link": make_link,
    "loop": lambda path: path.symlink_to(path),
    "hard link": make_hard_link,
}


@pytest.fixture
def precious(folder: Path) -> Iterator[Path]:
    """A file that must not change, whatever points to it."""
    folder.mkdir(parents=True)
    file = folder.parent / "precious"
    file.write_text("precious")
    yield file
    assert file.read_text() == "precious"


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_no_plain_file_is_put_aside(folder: Path, precious: Path, kind: str) -> None:
    MAKERS[kind](folder / "snapshot.json")
    store = locked(folder)
    assert store.load() == {}
    assert store.damaged is not None
    store.save(texts_in(folder))
    assert json.loads((folder / "snapshot.json").read_bytes())["files"] == TEXTS
    store.forget()
    store.unlock()


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "folder"])
def test_a_draft_is_written_into_no_file_that_is_there(folder: Path, precious: Path, kind: str) -> None:
    MAKERS[kind](folder / "snapshot.draft")
    store = locked(folder)
    store.save(texts_in(folder))
    assert store.load() == texts_in(folder)
    store.unlock()


def test_a_lock_is_not_looked_for_through_a_link(folder: Path, precious: Path) -> None:
    make_link(folder / "lock")
    with pytest.raises(StateError, match="symbolic links"):
        Store(folder, folder.parent.parent).lock()


def test_what_cannot_be_removed_is_emptied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = locked(folder)
    store.save(texts_in(folder))

    def fails(*arguments: object, **more: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fails)
        store.forget()
    store.unlock()
    assert (folder / "snapshot.json").read_bytes() == b""
    store = locked(folder)
    assert store.load() == {}
    assert store.damaged is None
    assert not (folder / "snapshot.json").exists()
    store.unlock()


def test_what_can_be_neither_emptied_nor_removed_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = locked(folder)
    store.save(texts_in(folder))

    def fails(*arguments: object, **more: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fails)
        patch.setattr(os, "ftruncate", fails)
        with pytest.raises(StateError, match="Read-only"):
            store.forget()
    store.forget()
    store.unlock()


@pytest.fixture
def run_of_its_own(tmp_path: Path) -> Iterator[Path]:
    """``run`` of a plain board as a file system of its own."""
    (tmp_path / "run").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "run"], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount")
    yield tmp_path / "run"
    subprocess.run(["umount", "-l", tmp_path / "run"], check=True)


@pytest.mark.parametrize("how", ["remount,ro", "remount,bind,ro", "bind"])
def test_state_that_turns_read_only_is_not_restored_later(tmp_path: Path, run_of_its_own: Path, how: str) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = start_helper(tmp_path)
    client.ask("hold")
    client.ask("apply", mode={"gpu_hz": 114750000})
    if how == "bind":
        subprocess.run(["mount", "--bind", run_of_its_own, run_of_its_own], check=True)
    read_only = "remount,bind,ro" if how == "bind" else how
    refused = subprocess.run(["mount", "-o", read_only, run_of_its_own], capture_output=True, check=False)
    assert bool(refused.returncode) == (how != "bind")  # a file system with a file that is open for writing
    client.close()
    assert board.settings() == before
    if how == "bind":
        subprocess.run(["umount", run_of_its_own], check=True)
    chosen = "1300500000"
    (tmp_path / "sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq").write_text(f"{chosen}\n")
    following = start_helper(tmp_path)
    assert not following.ask("status")["recovered"]
    following.close()
    assert chosen in board.settings().values()
