"""Whatever is said to the helper or stands in its files, it writes nothing but values of tables into files of knobs.

Every example is a list of cases: some ten thousand in all.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import CPU_KHZ, EMC_HZ, GPU_HZ, PlainBoard, helper_command

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.channel import LONGEST_LINE
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import StateError, Store

TABLES = {"cores": range(1, 9), "cpu_khz": CPU_KHZ, "gpu_hz": GPU_HZ, "emc_hz": EMC_HZ}


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    """Files that do nothing need no time to settle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "_PATIENCE_S", 0.0)
        yield


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keeper, PlainBoard]:
    board = PlainBoard(tmp_path_factory.mktemp("fuzzed"))
    return Keeper(board.root, Store(board.root / STATE, board.root)), board


VERBS = ("hold", "apply", "status", "restore", "keep", "revert")
REVERT = b'{"do": "revert"}'
OWN_FILES = ("lock", "snapshot.json", "snapshot.draft", "kept.json")
OPENED: list[str] | None = None


def _note_opened(event: str, arguments: tuple[Any, ...]) -> None:
    """Python reports every file that is opened, whoever opens it."""
    if OPENED is None or event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    if arguments[0] in OWN_FILES:  # opened in the state folder, by its descriptor, which Python does not report
        return
    if isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        OPENED.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note_opened)


def folders_of_own_files(patch: pytest.MonkeyPatch) -> set[str]:
    """Folders in which files of the helper's state are opened from now on."""
    folders: set[str] = set()
    open_ = os.open

    def noting(path: Any, *others: Any, dir_fd: int | None = None) -> int:
        if path in OWN_FILES and dir_fd is not None:
            folders.add(os.readlink(f"/proc/self/fd/{dir_fd}"))
        return open_(path, *others, dir_fd=dir_fd)

    patch.setattr(os, "open", noting)
    return folders


@contextmanager
def only_knobs_are_written(board: PlainBoard, before: dict[str, str], texts_in: Container[str] = ()) -> Iterator[None]:
    """Checks, at the end, every file that was opened for writing meanwhile, and every text that was written.

    Args:
        board: The board.
        before: What its files said.
        texts_in: Texts that may be written besides those and the values of the tables.
    """
    global OPENED
    OPENED = opened = []
    texts: set[tuple[str, str]] = set()
    write = os.write

    def noting(target: int, data: bytes) -> int:
        texts.add((os.readlink(f"/proc/self/fd/{target}"), data.decode().strip()))
        return write(target, data)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", noting)
            folders = folders_of_own_files(patch)
            yield
            assert folders <= {str(board.root / STATE)}
    finally:
        OPENED = None
    allowed = {str(board.root) + path: texts for path, texts in allowed_texts(before).items() if len(texts) > 1}
    assert {path for path, text in texts if text not in allowed[path] and text not in texts_in} == set()
    own = str(board.root / STATE)
    assert {path for path in map(os.path.realpath, opened) if not path.startswith(own)} <= set(allowed)


VALUES = st.one_of(
    st.sampled_from([0, 1, 8, 9, *CPU_KHZ, *GPU_HZ, *EMC_HZ, True, None, 1.0, "1", -1, 2**70]), st.integers()
)
MODES = st.one_of(
    st.dictionaries(
        st.sampled_from([*TABLES, "online", "../gpu_hz", "/etc/passwd", "tpc_pg_mask"]), VALUES, max_size=5
    ),
    VALUES,
    st.lists(VALUES, max_size=2),
)
REQUESTS = st.fixed_dictionaries(
    {"do": st.sampled_from([*VERBS, "write", "_hold", "answer", "", None, 1, []])},
    optional={"mode": MODES, "path": st.just("/etc/passwd"), "self": st.just(1)},
)
ANY_JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
LINES = st.one_of(
    st.binary(max_size=80),
    ANY_JSON.map(lambda value: json.dumps(value).encode()),
    REQUESTS.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"do": st.just("apply"), "mode": st.fixed_dictionaries({n: st.sampled_from(v) for n, v in TABLES.items()})}
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([f'{{"do": "{verb}"}}'.encode() for verb in VERBS]),
    st.sampled_from([b"[" * 4000, b'{"do":"apply","mode":{"cores":' + b"9" * 4000]),
)


def allowed_texts(before: dict[str, str]) -> dict[str, set[str]]:
    """What each file of the plain board may ever say: only knobs may say anything new."""
    cpu = "/sys/devices/system/cpu"
    allowed = {path: {text} for path, text in before.items()}
    for number in range(1, 8):
        allowed[f"{cpu}/cpu{number}/online"] |= {"0", "1"}
    for policy in (0, 4):
        for name in ("scaling_min_freq", "scaling_max_freq"):
            allowed[f"{cpu}/cpufreq/policy{policy}/{name}"] |= set(map(str, CPU_KHZ))
    for name in ("min_freq", "max_freq"):
        allowed[f"/sys/devices/17000000.ga10b/devfreq/17000000.ga10b/{name}"] |= set(map(str, GPU_HZ))
    allowed["/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"] |= set(map(str, EMC_HZ))
    allowed["/sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked"] |= {"0", "1"}
    allowed["/sys/kernel/debug/bpmp/debug/clk/emc/rate"] = set(map(str, EMC_HZ))
    return allowed


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, min_size=30, max_size=60))
def test_no_request_breaks_it_or_makes_it_write_what_is_not_in_a_table(
    keeper: tuple[Keeper, PlainBoard], lines: list[bytes]
) -> None:
    helper, board = keeper
    before = board.settings()
    with only_knobs_are_written(board, before):
        for line in lines:
            for variant in (line, line[: len(line) // 2], line + line, line.replace(b'"', b"'")):
                answer = helper.answer(variant)
                assert answer["ok"] is True or isinstance(answer["error"], str)
                assert "\n" not in json.dumps(answer)
        helper.end()
        assert helper.answer(REVERT)["ok"]
    assert board.settings() == before
    assert not (board.root / STATE / "kept.json").exists()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), st.just(b"x" * (2 * LONGEST_LINE))), max_size=20))
def test_every_line_gets_one_answer_however_it_arrives(
    plain_helper: subprocess.Popen[bytes], lines: list[bytes]
) -> None:
    assert plain_helper.stdin is not None
    assert plain_helper.stdout is not None
    for line in lines:
        plain_helper.stdin.write(line.replace(b"\n", b"") + b"\n")
        answer = json.loads(plain_helper.stdout.readline())
        assert answer["ok"] is False
    plain_helper.stdin.write(b'{"do": "status"}\n')
    assert json.loads(plain_helper.stdout.readline())["ok"] is True


@pytest.fixture(scope="module")
def plain_helper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    root = PlainBoard(tmp_path_factory.mktemp("lines")).root
    with subprocess.Popen(helper_command(root), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


PATHS = st.sampled_from(
    [
        "sys/devices/system/cpu/cpu3/online",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
        "sys/devices/17000000.ga10b/tpc_pg_mask",
        "etc/nv_tegra_release",
        "../../etc/passwd",
        "/etc/passwd",
        "",
        "\0",
    ]
)
SOUND_TEXTS = ("0", "1", "115200", "governor")
FOUL_TEXTS = ("115200; reboot", "0 1", "/etc/passwd", "a\nb", "", "\0")
TEXTS = st.one_of(st.sampled_from(["0\n", "115200\n", "governor\n", *FOUL_TEXTS]), st.text("/ ;\n", min_size=1), VALUES)
FILES = st.one_of(st.dictionaries(PATHS, TEXTS), VALUES)
SNAPSHOTS = st.one_of(
    st.binary(max_size=60),
    ANY_JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"boot_id": st.sampled_from(["one", "two", 1]), "files": FILES}).map(
        lambda value: json.dumps(value).encode()
    ),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(SNAPSHOTS, min_size=5, max_size=15))
def test_no_snapshot_breaks_it_or_makes_it_write_elsewhere(
    keeper: tuple[Keeper, PlainBoard], snapshots: list[bytes]
) -> None:
    helper, board = keeper
    before = board.settings()
    for text, (name, verb) in product(snapshots, (("snapshot.json", b"restore"), ("kept.json", b"revert"))):
        file = board.root / STATE / name
        file.write_bytes(text)
        with only_knobs_are_written(board, before, SOUND_TEXTS):
            assert isinstance(helper.answer(b'{"do": "%s"}' % verb)["ok"], bool)
        file.unlink(missing_ok=True)
        (board.root / STATE / "snapshot.json").unlink(missing_ok=True)
    for path, original in before.items():
        (board.root / path[1:]).write_text(f"{original}\n")


CODES = (errno.EMFILE, errno.ENOMEM, errno.EIO, errno.EACCES, errno.EBUSY, errno.ENOSPC, errno.EROFS, errno.ENODEV)
CALLS = ("open", "read", "write", "pread", "fsync", "rename", "unlink", "ftruncate", "fchmod")
FAULTS = st.dictionaries(st.tuples(st.sampled_from(CALLS), st.integers(0, 60)), st.sampled_from(CODES), max_size=12)
CONVERSATIONS = st.lists(
    st.sampled_from(
        [
            *(b'{"do": "hold"}', b'{"do": "restore"}', b'{"do": "status"}', b'{"do": "apply", "mode": {"cores": 2}}'),
            *(b'{"do": "keep"}', REVERT),
            b'{"do": "apply", "mode": {"gpu_hz": 114750000, "emc_hz": 204000000}}',
            b'{"do": "apply", "mode": {"cores": 8, "cpu_khz": 2201600}}',
        ]
    ),
    min_size=3,
    max_size=10,
)


@contextmanager
def failing_calls(faults: Mapping[tuple[str, int], int]) -> Iterator[None]:
    """Some calls of the system fail, by name and number."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            numbered = {number: code for (call, number), code in faults.items() if call == name}
            patch.setattr(os, name, _failing(getattr(os, name), numbered))
        yield


def _failing(call: Callable[..., Any], faults: Mapping[int, int]) -> Callable[..., Any]:
    numbers = iter(range(10**9))

    def fails(*arguments: Any, **more: Any) -> Any:
        if code := faults.get(next(numbers)):
            raise OSError(code, os.strerror(code))
        return call(*arguments, **more)

    return fails


CPUS = "sys/devices/system/cpu"
EMC_RATE = "sys/kernel/debug/bpmp/debug/clk/emc/rate"
KNOB_FILES = [
    *(f"{CPUS}/cpu{number}/online" for number in (1, 3, 6)),
    *(
        f"{CPUS}/cpufreq/policy{number}/{name}"
        for number in (0, 4)
        for name in ("affected_cpus", "related_cpus", "scaling_available_frequencies", "scaling_governor")
    ),
    *(f"{CPUS}/cpufreq/policy{number}/scaling_{name}_freq" for number in (0, 4) for name in ("min", "max")),
    *(f"sys/devices/17000000.ga10b/devfreq/17000000.ga10b/{name}_freq" for name in ("min", "max")),
    *("sys/kernel/nvpmodel_emc_cap/emc_iso_cap", "sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked"),
    *(EMC_RATE, "sys/kernel/debug/bpmp/debug/emc/possible_rates"),
]
NONSENSE = st.one_of(
    st.sampled_from([b"", b"\n", b"<unknown>\n", b"auto\n", b"-1\n", b"9" * 20, b"0-9999\n", b"1 2\n", b"\xff" * 9]),
    st.binary(max_size=30),
)


@contextmanager
def as_found(board: PlainBoard) -> Iterator[None]:
    """Leaves the board as it was, whatever a failing example did to it."""
    paths = {*map(board.root.joinpath, KNOB_FILES), *board.root.glob(f"{CPUS}/cpu*/online")}
    texts = {path: path.read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, text in texts.items():
            path.write_bytes(text)
        shutil.rmtree(board.root / STATE, ignore_errors=True)


@settings(max_examples=100, deadline=None)
@given(CONVERSATIONS, FAULTS, st.booleans())
def test_whatever_call_fails_the_board_comes_back(
    keeper: tuple[Keeper, PlainBoard], lines: list[bytes], faults: dict[tuple[str, int], int], killed: bool
) -> None:
    """At the latest when the next helper starts, or reverts what was kept, and nothing fails any more."""
    board = keeper[1]
    before = board.settings()
    with as_found(board), only_knobs_are_written(board, before):
        store = Store(board.root / STATE, board.root)
        with failing_calls(faults):
            helper = Keeper(board.root, store)
            helper.recover()
            for line in [b'{"do": "hold"}', *lines]:
                answer = helper.answer(line)
                assert answer["ok"] is True or isinstance(answer["error"], str)
            if not killed:
                with suppress(StateError):
                    helper.end()
        store.unlock()  # as the end of the process does
        following = Keeper(board.root, Store(board.root / STATE, board.root))
        following.recover()
        assert following.answer(b'{"do": "status"}')["notes"] == []
        if not following.answer(b'{"do": "status"}')["kept"]:
            assert board.settings() == before
        assert following.answer(REVERT)["differing"] == []
        assert board.settings() == before
        assert not {"snapshot.json", "kept.json"} & {path.name for path in (board.root / STATE).iterdir()}


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(KNOB_FILES), NONSENSE, max_size=4), CONVERSATIONS)
def test_no_nonsense_in_sysfs_stops_it_or_any_helper_after_it(
    keeper: tuple[Keeper, PlainBoard], texts: dict[str, bytes], lines: list[bytes]
) -> None:
    board = keeper[1]
    with as_found(board):
        for path, text in texts.items():
            (board.root / path).write_bytes(text)
        before = {path: path.read_bytes().strip() for path in map(board.root.joinpath, KNOB_FILES)}
        store = Store(board.root / STATE, board.root)
        helper = Keeper(board.root, store)
        helper.recover()
        for line in [b'{"do": "hold"}', *lines]:
            assert isinstance(helper.answer(line)["ok"], bool)
        store.unlock()  # killed
        following = Keeper(board.root, Store(board.root / STATE, board.root))
        following.recover()
        assert following.answer(b'{"do": "status"}')["notes"] == []
        following.answer(REVERT)
        del before[board.root / EMC_RATE]  # it moves by itself
        assert {path: path.read_bytes().strip() for path in before} == before
