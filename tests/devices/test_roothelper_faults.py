"""Whatever call of the system fails, and whatever stands in sysfs: the board comes back, and the next helper works."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from fuzzing import REVERT, only_knobs_are_written
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import PlainBoard

from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import StateError, Store

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
