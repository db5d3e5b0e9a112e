"""Whatever is said to the helper or stands in its files, it writes nothing but values of tables into files of knobs.

Every example is a list of cases: some ten thousand in all.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from itertools import product

import pytest
from fuzzing import REVERT, only_knobs_are_written
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import CPU_KHZ, EMC_HZ, GPU_HZ, PlainBoard, helper_command

from lightning_powertrain.devices.roothelper.channel import LONGEST_LINE
from lightning_powertrain.devices.roothelper.server import STATE, Keeper

TABLES = {"cores": range(1, 9), "cpu_khz": CPU_KHZ, "gpu_hz": GPU_HZ, "emc_hz": EMC_HZ}


VERBS = ("hold", "apply", "status", "restore", "keep", "revert")


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
