"""Whatever happens, whenever: the board comes back, the user's own error surfaces, and training goes on if it can.

Every cell of the matrix is a real process that trains and tunes a virtual board in wall time. A few cells, in which
everything meets, are played with the other tests; ``.ci/survival`` plays all.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from forked import CONTEXT
from plain_board import start_helper
from virtual_board import MountedBoard, mounted, why_unavailable

from lightning_powertrain.devices.roothelper.server import STATE
from survival.event import MOMENTS, Report
from survival.job import run
from survival.matrix import CELLS, PLAYED, Cell, pairs, pairwise

_AT_ONCE = 2
_PATIENCE_S = 90.0
_RESTORING_TAKES_S = 0.1
_USER_ERRORS = {
    "exception in the training step": "UserError('the training step')",
    "exception in another callback": "UserError('another callback')",
}
_SIGNALS = (
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGALRM, signal.SIGPROF, signal.SIGTSTP),
    signal.SIGRTMIN,
)
"""One of the signals that end a helper in good order for each moment."""


@dataclass(frozen=True)
class Aftermath:
    """What was left of a job and of its board.

    Args:
        report: What the job said at its end; None if it could not.
        exit_code: Its exit status; minus the signal that killed it.
        was_changed: Whether anything was set on the board when it happened.
        changed: Files of the board that read differently than before.
        has_snapshot: Whether a snapshot was left behind.
        violations: Forbidden writes.
    """

    report: Report | None
    exit_code: int | None
    was_changed: bool
    changed: dict[str, tuple[str, str | None]]
    has_snapshot: bool
    violations: int


@pytest.fixture(scope="module")
def futures(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Cell, Future[Aftermath]]]:
    """All cells that are to be tested, at work: two at a time, each on a board of its own."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    cells = [
        item.callspec.params["cell"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_the_board_comes_back
    ]
    boards: SimpleQueue[MountedBoard] = SimpleQueue()
    folder = tmp_path_factory.mktemp("survival")

    def play(cell: Cell) -> Aftermath:
        board = boards.get()
        try:
            return aftermath_of(board, folder, *cell)
        finally:
            boards.put(board)

    with ExitStack() as stack:
        for _ in range(min(_AT_ONCE, len(cells))):
            boards.put(stack.enter_context(mounted("orin-agx-jp6")))
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield {cell: pool.submit(play, cell) for cell in cells}


def test_everything_meets_in_the_few_cells() -> None:
    few = pairwise(CELLS)
    assert {pair for cell in few for pair in pairs(cell)} == {pair for cell in CELLS for pair in pairs(cell)}
    assert len(few) < 65 < len(CELLS)


@pytest.mark.parametrize("cell", PLAYED, ids="-".join)
def test_the_board_comes_back(
    cell: Cell, futures: dict[Cell, Future[Aftermath]], record_property: Callable[[str, object], None]
) -> None:
    record_property("cell", cell)
    aftermath = futures[cell].result()
    if cell[2] != "fitting":  # Before a fit the tuner may return to the start mode, whose CPU is faster.
        assert aftermath.was_changed == (cell[2] != "before the first mode")
    assert not aftermath.changed
    assert not aftermath.has_snapshot
    assert not aftermath.violations
    record_property("outcome", outcome_of(cell, aftermath))


def outcome_of(cell: Cell, aftermath: Aftermath) -> str:
    """In a word or two, what became of the job; fails if that is not what should become of it."""
    loop, kind, moment = cell
    report, exit_code = aftermath.report, aftermath.exit_code
    if kind in ("SIGKILL", "SIGHUP", "both killed") or (kind, loop) == ("SIGTERM", "plain"):
        assert report is None
        assert exit_code == -(getattr(signal, kind) if kind.startswith("SIG") else signal.SIGKILL)
        return "killed"
    assert report is not None
    if kind in _USER_ERRORS:
        assert report.error == _USER_ERRORS[kind]
        return "user's error"
    if kind == "SIGINT":
        assert report.error == ("KeyboardInterrupt()" if loop == "plain" else "SystemExit(1)")
        return "ended"
    if kind == "SIGTERM" and moment != "restoring":  # Lightning looks for it between steps, and the last one is over.
        assert report.error.startswith("SIGTERMException")
        return "ended"
    assert (report.error, exit_code) == ("", 0)
    # The warning at the start of the job, about its stock mode, does not count.
    assert len([warning for warning in report.warnings if "GPU clusters off" not in warning]) <= 1
    if moment == "restoring":
        return "finished"
    assert report.steps_afterwards >= 10
    return "trained on"


def aftermath_of(board: MountedBoard, folder: Path, loop: str, kind: str, moment: str) -> Aftermath:
    """Train on a board as new, let it happen, and look at what is left."""
    board.reset()
    before = board.settings()
    snapshot = board.path(f"/{STATE}/snapshot.json")
    here, there = CONTEXT.Pipe()
    job = CONTEXT.Process(target=run, args=(loop, str(board.root), str(folder), kind, moment, there))
    job.start()
    there.close()
    was_changed: list[bool] = []

    def happens(helper: int) -> None:
        was_changed.append(board.settings() != before)
        let_it_happen(board, here, job.pid or 0, helper, kind, moment)

    try:
        report = _report_after(here, happens)
    finally:
        here.close()
        job.join(_PATIENCE_S)
        if job.is_alive():
            job.kill()
    board.clear_faults()
    if kind == "both killed":
        come_back(board, by_hand=MOMENTS.index(moment) % 2 == 0)
    _wait_until(lambda: not snapshot.exists() and board.settings() == before)
    after = board.settings()
    changed = {path: (text, after.get(path)) for path, text in before.items() if after.get(path) != text}
    return Aftermath(report, job.exitcode, any(was_changed), changed, snapshot.exists(), len(board.violations()))


def _report_after(here: Connection, let_it_happen: Callable[[int], None]) -> Report | None:
    try:
        helper = _received(here)
        assert isinstance(helper, int), f"the job ended before its moment came: {helper}"
        assert helper > 0
        let_it_happen(helper)
        report: Report = _received(here)
    except (EOFError, ConnectionError):
        return None
    return report


def let_it_happen(board: MountedBoard, here: Connection, job: int, helper: int, kind: str, moment: str) -> None:
    """What the matrix is about. The job waits at its moment for one message."""
    victims = {"helper killed": [helper], "helper asked to end": [helper], "both killed": [helper, job]}.get(
        kind, [job]
    )
    number = getattr(signal, kind) if kind.startswith("SIG") else signal.SIGKILL
    if kind == "helper asked to end":
        number = _SIGNALS[MOMENTS.index(moment)]
    if kind in ("write refused", "kernel busy"):
        board.fail("*/devfreq/*/max_freq", errno.EIO if kind == "write refused" else errno.EBUSY, times=1)
    if kind == "full disk":
        board.fail("*/lightning-powertrain/*", errno.ENOSPC)
    if moment == "restoring":
        board.delay("*/max_freq", _RESTORING_TAKES_S)
        if kind == "exception in the training step":
            board.fail("*/devfreq/*/max_freq", errno.EIO, times=4)  # The first attempt to restore fails.
        here.send(None)
        time.sleep(_RESTORING_TAKES_S)
    if kind.startswith("SIG") or kind in ("helper killed", "helper asked to end", "both killed"):
        for victim in victims:
            os.kill(victim, number)
    if moment != "restoring":
        here.send(None)


def come_back(board: MountedBoard, *, by_hand: bool) -> None:
    """The next start of the helper, or ``powertrain restore``."""
    if not by_hand:
        start_helper(board.root).close()
        return
    code = (
        "import sys; from pathlib import Path; from plain_board import helper_command\n"
        "from lightning_powertrain.cli import restore; from lightning_powertrain.devices import helper_client\n"
        f"restore._ROOT = Path({str(board.root)!r})\n"
        "command = helper_command(restore._ROOT)\n"
        "helper_client.usual_transport = lambda: helper_client.HelperProcess(command)\n"
        "from lightning_powertrain.cli import main; sys.argv = ['powertrain', 'restore']; main()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)


def _received(here: Connection) -> Any:
    if not here.poll(_PATIENCE_S):
        raise TimeoutError("the job says nothing")
    return here.recv()


def _wait_until(reached: Callable[[], bool]) -> None:
    """The helper restores the board while nobody waits for it; what it did not do in this time shows afterwards."""
    end_s = time.monotonic() + _PATIENCE_S / 6
    while not reached() and time.monotonic() < end_s:
        time.sleep(0.02)
