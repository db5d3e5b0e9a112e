"""The cache of profiles never fails a job: nothing that its folder refuses or holds can harm one."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cache_worker import KEY, OTHER, profile
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_powertrain.profiling import ProfileCache
from lightning_powertrain.profiling.cache_entry import _checksums

FILES = ("entry.json", "profile.csv", "profile.json")
pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_that_cannot_be_is_one_warning(tmp_path: Path, warnings: Callable[[], list[str]]) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ProfileCache(tmp_path / "file" / "cache")
    for _ in range(3):
        cache.store(KEY, profile(1))
        assert cache.load(KEY) is None
    (message,) = warnings()
    assert str(tmp_path / "file" / "cache") in message
    assert "NotADirectoryError" in message


def test_a_folder_that_may_not_be_written_is_one_warning(warnings: Callable[[], list[str]]) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as folder:  # What pytest makes nobody else may enter.
        Path(folder).chmod(0o755)
        cache = ProfileCache(folder)
        cache.store(KEY, profile(1))
        os.seteuid(65534)
        try:
            for _ in range(3):
                cache.store(KEY, profile(2))
            assert cache.load(KEY) == profile(1), "it can still be read"
        finally:
            os.seteuid(0)
    (message,) = warnings()
    assert "PermissionError" in message


@pytest.mark.parametrize("at", range(1, 7))
def test_a_full_disk_leaves_the_old_entry_and_no_litter(
    cache: ProfileCache,
    cache_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: Callable[[], list[str]],
    at: int,
) -> None:
    """Whichever of the files it is that the disk has no room for, the folder included."""
    cache.store(KEY, profile(1))
    before, synced = entries(cache_folder), []

    def fsync(file: int) -> None:
        synced.append(file)
        if len(synced) == at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    cache.store(KEY, profile(2))
    if at <= 4:  # Three files and their folder come before the new name.
        assert entries(cache_folder) == before
        assert cache.load(KEY) == profile(1)
    else:
        assert cache.load(KEY) == profile(2)
    assert len(warnings()) == (at <= 5)
    assert not [name for name in entries(cache_folder) if name.startswith(".scratch")]


def test_profiles_that_json_cannot_hold_are_one_warning(
    cache: ProfileCache, cache_folder: Path, warnings: Callable[[], list[str]]
) -> None:
    odd = profile(1)
    odd.provenance.details["odd"] = object()
    cache.store(KEY, odd)
    assert len(warnings()) == 1
    assert not entries(cache_folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b"[" * 100_000, b"\xff\xfe", b"\0" * 99, b"cores,time_ms\n1" + b"0" * 5000]
)
def test_any_other_file_is_a_miss_and_is_replaced(
    cache: ProfileCache, warnings: Callable[[], list[str]], name: str, content: bytes
) -> None:
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    (entry.folder / name).write_bytes(content)
    assert cache.load(KEY) is None
    assert cache.load(KEY) is None
    (message,) = warnings()
    assert "powertrain cache clear" in message
    assert [(entry.key, entry.profile) for entry in cache.entries()] == [(None, None)]
    cache.store(KEY, profile(2))
    assert cache.load(KEY) == profile(2)
    assert len(cache.entries()) == 1


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_a_miss(cache: ProfileCache, warnings: Callable[[], list[str]], name: str) -> None:
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    (entry.folder / name).unlink()
    assert cache.load(KEY) is None
    assert len(warnings()) == 1
    (entry.folder / name).mkdir()
    assert ProfileCache().load(KEY) is None


def test_a_newer_format_is_a_miss(cache: ProfileCache, warnings: Callable[[], list[str]]) -> None:
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    about = (entry.folder / "entry.json").read_text(encoding="utf-8")
    (entry.folder / "entry.json").write_text(about.replace("cache 1", "cache 2"), encoding="utf-8")
    assert cache.load(KEY) is None
    (message,) = warnings()
    assert "'lightning-powertrain cache 2', expected 'lightning-powertrain cache 1'" in message


def test_an_entry_under_the_name_of_another_is_a_miss(cache: ProfileCache, cache_folder: Path) -> None:
    cache.store(OTHER, profile(1))
    (entry,) = cache.entries()
    entry.folder.rename(cache_folder / entry.folder.name.replace(OTHER.name, KEY.name))
    assert cache.load(KEY) is None


@settings(max_examples=150)
@given(data=st.data())
def test_damage_is_a_miss_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any bytes changed, cut off or put in, in any of the files: never another profile, and never an exception."""
    cache = ProfileCache(tmp_path_factory.mktemp("damaged"))
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    path = entry.folder / data.draw(st.sampled_from(FILES))
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 8)) | st.just(len(content)))
    damaged = content[:start] + data.draw(st.binary(max_size=8)) + content[end:]
    path.write_bytes(damaged)
    found = cache.load(KEY)
    if path.name == "entry.json":  # White space, and names that nobody asks for, may change.
        assert found in (None, profile(1))
    else:
        assert found == (profile(1) if damaged == content else None)
    assert [entry.profile for entry in cache.entries()] == [found]


def sealed(folder: Path) -> None:
    """Make the checksums of an entry right, whatever is in it."""
    about = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
    (folder / "entry.json").write_text(json.dumps({**about, "sha256": _checksums(folder)}), encoding="utf-8")


@settings(max_examples=100)
@given(name=st.sampled_from(FILES[1:]), data=st.data())
def test_damage_under_a_right_checksum_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    cache = ProfileCache(tmp_path_factory.mktemp("sealed"))
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    content = (entry.folder / name).read_bytes()
    start = data.draw(st.integers(0, len(content)))
    (entry.folder / name).write_bytes(content[:start] + data.draw(st.binary(max_size=8)) + content[start:])
    sealed(entry.folder)
    cache.load(KEY)
    assert len(cache.entries()) == 1


def only_entry(cache: ProfileCache) -> Path:
    assert cache.folder is not None
    (entry,) = cache.folder.iterdir()
    return entry


def numbered(entry: Path, number: int) -> Path:
    """The same entry under another number."""
    start, _, end = entry.name.split("-")
    return entry.rename(entry.with_name(f"{start}-{number:08}-{end}"))


@pytest.mark.parametrize("number", [5, 99_999_998, 99_999_999])
@pytest.mark.parametrize("is_damaged", [True, False])
def test_an_entry_with_a_far_number_is_replaced(
    cache: ProfileCache, warnings: Callable[[], list[str]], number: int, is_damaged: bool
) -> None:
    cache.store(KEY, profile(1))
    entry = numbered(only_entry(cache), number)
    if is_damaged:
        (entry / "entry.json").write_text("{}")
    for count in (2, 3):
        cache.store(KEY, profile(count))
        assert cache.load(KEY) == profile(count)
    assert only_entry(cache) != entry
    assert warnings() == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: os.truncate(_new(path), 2**33)]
)
def test_what_is_no_regular_file_of_a_bounded_size_is_not_read(
    cache: ProfileCache, file: str, make: Callable[[Path], object], warnings: Callable[[], list[str]]
) -> None:
    cache.store(KEY, profile(1))
    path = only_entry(cache) / file
    path.unlink()
    make(path)
    assert cache.load(KEY) is None
    assert "is no regular file of at most 16 MB" in warnings()[0]
    cache.store(KEY, profile(2))
    assert ProfileCache(cache.folder).load(KEY) == profile(2)
    assert len(cache.entries()) == 1


def _new(path: Path) -> Path:
    path.touch()
    return path


def test_a_cache_full_of_foreign_entries_is_emptied_bit_by_bit(cache: ProfileCache, cache_folder: Path) -> None:
    for number in range(300):
        (cache_folder / f"{number:032x}-00000001-{number:08x}").mkdir(parents=True)
    cache.store(KEY, profile(1))
    assert len(entries(cache_folder)) == 281
    assert cache.load(KEY) == profile(1)
