"""Whatever is said to the helper or stands in its files, it writes nothing but values of tables into files of knobs.

Every example is a list of cases: some ten thousand in all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import CPU_KHZ, EMC_HZ, GPU_HZ, PlainBoard, helper_command

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.channel import LONGEST_LINE
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import Store

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


OWN_FILES = ("lock", "snapshot.json", "snapshot.draft")
OPENED: list[str] | None = None


def _note_opened(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells of every file that is opened, whoever opens it."""
    if OPENED is None or event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    if arguments[0] in OWN_FILES:  # opened in the state folder, by its descriptor, which Python does not tell
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
    {"do": st.sampled_from(["hold", "apply", "status", "restore", "write", "_hold", "answer", "", None, 1, []])},
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
    st.sampled_from(
        [b'{"do": "hold"}', b'{"do": "restore"}', b"[" * 4000, b'{"do":"apply","mode":{"cores":' + b"9" * 4000]
    ),
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
    assert board.settings() == before


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
    file = board.root / STATE / "snapshot.json"
    before = board.settings()
    for text in snapshots:
        file.write_bytes(text)
        with only_knobs_are_written(board, before, SOUND_TEXTS):
            assert isinstance(helper.answer(b'{"do": "restore"}')["ok"], bool)
        file.unlink(missing_ok=True)
    for path, original in before.items():
        (board.root / path[1:]).write_text(f"{original}\n")
