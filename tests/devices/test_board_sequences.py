"""Whatever a helper does and whenever it dies, the board comes back: random sequences on the kernel of each JetPack.

The helper runs in this process, so that a sequence takes no time to start programs; tests of the server kill real ones.
"""

from __future__ import annotations

import json
import math
from typing import Any, Callable

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from virtual_board import MountedBoard

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import Store

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
SHARE = st.floats(0, 1)
"""Which of the values of a table, or of the states of a cooling device."""

MODES = st.lists(st.lists(SHARE, min_size=6, max_size=6), min_size=1, max_size=3)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual board takes every write at once."""
    monkeypatch.setattr(switching, "_PATIENCE_S", 0.0)


class Sequence(RuleBasedStateMachine):
    """A board, its owner, its heat, and helpers that come and go, one after the other.

    Args:
        board: Mounted, and reset before every sequence.
    """

    def __init__(self, board: MountedBoard) -> None:
        super().__init__()
        self.board = board
        self.keeper: Keeper | None = None
        board.reset()
        self.before = board.settings()
        self.cooling = {
            folder.name: (folder / "type").read_text().strip()
            for folder in board.path("/sys/class/thermal").glob("cooling_device*")
            if "cpufreq" in (folder / "type").read_text()
        }

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self.keeper is not None
        answer = self.keeper.answer(json.dumps({"do": do, **fields}).encode())
        assert answer["ok"] or (do == "hold" and self.is_hot and "throttles" in answer["error"]), answer
        return answer

    @property
    def owes(self) -> bool:
        return self.board.path(f"/{STATE}/snapshot.json").exists()

    @property
    def is_hot(self) -> bool:
        folder = self.board.path("/sys/class/thermal")
        return any((folder / name / "cur_state").read_text() != "0\n" for name in self.cooling)

    @initialize(online=st.lists(st.booleans(), min_size=13, max_size=13), low=SHARE, high=SHARE)
    def the_owner_sets_it(self, online: list[bool], low: float, high: float) -> None:
        """Limits of each policy, any values in between as well, and cores on or off."""
        board = self.board
        for core in sorted(board.path(CPU).glob("cpu[1-9]*")):
            (core / "online").write_text("1")
        for policy in board.path(f"{CPU}/cpufreq").glob("policy*"):
            table = [int(word) for word in (policy / "scaling_available_frequencies").read_text().split()]
            floor, ceiling = sorted(math.floor(table[0] + share * (table[-1] - table[0])) for share in (low, high))
            for name, khz in (("min", table[0]), ("max", ceiling), ("min", floor)):
                (policy / f"scaling_{name}_freq").write_text(str(khz))
        for core, is_online in zip(sorted(board.path(CPU).glob("cpu[1-9]*")), online):
            (core / "online").write_text(str(int(is_online)))
        self.before = board.settings()

    @precondition(lambda self: self.keeper is None)
    @rule()
    def a_helper_starts(self) -> None:
        self.keeper = Keeper(self.board.root, Store(self.board.root / STATE, self.board.root))
        self.keeper.recover()

    @precondition(lambda self: self.keeper is not None)
    @rule(modes=MODES)
    def it_applies(self, modes: list[list[float]]) -> None:
        held = self.ask("hold")
        for shares in modes if held["ok"] else ():
            self.apply(held["knobs"], dict(zip(held["knobs"], shares)))

    def apply(self, knobs: dict[str, Any], shares: dict[str, float]) -> None:
        mode = {name: _share_of(knob["values"], shares[name]) for name, knob in knobs.items()}
        read = self.ask("apply", mode=mode)
        assert self.owes
        if not self.is_hot:
            asleep = {name for name in mode if name.endswith("khz") and not _is_awake(self.board, name)}
            assert {k: v for k, v in read["mode"].items() if k not in asleep} == {
                k: v for k, v in mode.items() if k not in asleep
            }

    @precondition(lambda self: self.keeper is not None)
    @rule()
    def it_restores(self) -> None:
        if not self.ask("restore")["differing"]:
            assert self.board.settings() == self.before

    @precondition(lambda self: self.keeper is not None)
    @rule()
    def its_client_goes(self) -> None:
        assert self.keeper is not None
        self.keeper.end()
        self.keeper = None
        assert self.owes or self.board.settings() == self.before

    @precondition(lambda self: self.keeper is not None)
    @rule()
    def it_is_killed(self) -> None:
        """The system takes the lock of a killed process back."""
        assert self.keeper is not None
        self.keeper._store.unlock()
        self.keeper = None
        assert self.owes or self.board.settings() == self.before

    @rule(device=SHARE, state=SHARE)
    def a_cluster_throttles(self, device: float, state: float) -> None:
        kind = _share_of(sorted(self.cooling.values()), device)
        table = find_knobs(self.board.root).clocks[0].values
        self.board.throttle(round(state * (len(table) - 1)), kind)

    @precondition(lambda self: self.keeper is not None)
    @rule(device=SHARE, modes=MODES)
    def it_applies_while_hot(self, device: float, modes: list[list[float]]) -> None:
        self.a_cluster_throttles(device, 0.8)
        self.it_applies(modes)
        self.it_cools()

    @rule()
    def it_cools(self) -> None:
        for kind in self.cooling.values():
            self.board.throttle(0, kind)

    @precondition(lambda self: not self.owes)
    @rule(core=SHARE, online=st.booleans())
    def somebody_else_plugs_a_core(self, core: float, online: bool) -> None:
        """What others change while no job runs is the board's own."""
        folder = _share_of(sorted(self.board.path(CPU).glob("cpu[1-9]*")), core)
        (folder / "online").write_text(str(int(online)))
        self.before = self.board.settings()

    def teardown(self) -> None:
        self.it_cools()
        if self.keeper is not None:
            self.it_is_killed()
        self.a_helper_starts()
        self.its_client_goes()
        assert not self.owes
        assert self.board.settings() == self.before
        assert not self.board.violations()


def _share_of(values: list[Any], share: float) -> Any:
    return values[min(int(share * len(values)), len(values) - 1)]


def _is_awake(board: MountedBoard, knob: str) -> bool:
    """Whether the cluster of a CPU clock has an online core; only the second one of a TX2 may have none."""
    return not knob.startswith("denver") or any(board.read(f"{CPU}/cpu{core}/online") == "1" for core in (1, 2))


@pytest.mark.parametrize("name", ["tx2-jp4", "agx-xavier-jp5", "orin-agx-jp5", "orin-agx-jp6", "thor-jp7"])
def test_any_sequence_leaves_the_board_as_it_was(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    run_state_machine_as_test(
        lambda: Sequence(board),
        settings=settings(max_examples=8, stateful_step_count=12, phases=[Phase.generate]),
    )
