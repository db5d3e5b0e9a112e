"""A loop that reports itself: Tuner.track."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from fakes import FakeDevice, Oracle, true_power_w, true_time_ms
from lightning_fabric import Fabric
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from watching import Recorder

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import ArgumentError, BudgetError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

LONG = range(100_000)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def tuner(device: FakeDevice, oracle: Oracle, recorder: Recorder) -> Iterator[Tuner]:
    options = ProfilingOptions(predictor=oracle, observers=[recorder])
    yield Tuner("13 W", device=device, max_modes=5, max_share=1.0, verbose=False, options=options)
    assert device.mode == device.found, "the board was not restored"


@pytest.fixture
def calls(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls of the tuner that a loop makes, in order; none of them does anything."""
    made: list[Any] = []
    monkeypatch.setattr(tuner, "start", lambda **given: made.append(("start", given)))
    monkeypatch.setattr(tuner, "stop", lambda: made.append("stop"))
    monkeypatch.setattr(tuner, "interrupt", lambda: made.append("interrupt"))
    monkeypatch.setattr(
        tuner, "minibatch_ended", lambda cycle_complete: made.append("end" if cycle_complete else "part")
    )
    return made


def begun(
    minibatches: int | None, prefetched: int = 0, workload: str = "unnamed", workers: int | None = None
) -> tuple[str, dict[str, Any]]:
    about = {"minibatches": minibatches, "prefetched": prefetched, "workers": workers, "workload": workload}
    return "start", about


class Stream(IterableDataset[int]):
    """Data of which nobody knows how much there is."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


def test_it_yields_what_the_loader_yields_and_finds_the_best_mode(
    tuner: Tuner, device: FakeDevice, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    seen = []
    for batch in tuner.track(LONG):
        seen.append(batch)
        if tuner.phase is Phase.LOCKED:
            assert tuner.outcome is not None
            assert device.mode == tuner.outcome.selection.mode
            break
    assert seen == list(range(len(seen)))
    assert device.minibatches == len(seen) - 1  # The last one was left in the middle.
    mode = device.modes.rows([tuner.outcome.selection.mode]) if tuner.outcome else None
    assert mode is not None
    assert (true_time_ms(mode)[0], true_power_w(mode)[0]) == pytest.approx(brute_force(13.0))


def test_several_epochs_are_one_job(tuner: Tuner, calls: list[Any]) -> None:
    seen = [batch for _ in range(2) for batch in tuner.track("ab", epochs=2, workload="toy")]
    assert seen == ["a", "b"] * 2
    epoch = ["end", "interrupt", "end", "interrupt"]
    assert calls == [begun(4, workload="toy"), *epoch, *epoch, "stop"]


def test_after_its_last_epoch_another_job_begins(tuner: Tuner, calls: list[Any]) -> None:
    for _ in range(2):
        list(tuner.track("a"))
    assert calls.count(begun(1)) == 2
    assert calls.count("stop") == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_what_the_loader_prefetches(tuner: Tuner, calls: list[Any], workers: int) -> None:
    loader = DataLoader(TensorDataset(torch.arange(3)), num_workers=workers, prefetch_factor=3 if workers else None)
    assert len(list(tuner.track(loader))) == 3
    assert calls[0] == begun(3, prefetched=3 * workers, workers=workers)


def test_fabrics_loaders(tuner: Tuner, calls: list[Any]) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(torch.arange(3)), num_workers=2))
    assert [int(batch[0]) for batch in tuner.track(loader)] == [0, 1, 2]
    assert calls[0] == begun(3, prefetched=4, workers=2)


def test_accelerates_loaders(tuner: Tuner, calls: list[Any]) -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    loader = accelerate.Accelerator(cpu=True).prepare(DataLoader(TensorDataset(torch.arange(3)), num_workers=2))
    try:
        assert [int(batch[0]) for batch in tuner.track(loader)] == [0, 1, 2]
    finally:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)  # One for the whole process.
    assert calls[0] == begun(3, prefetched=4, workers=2)


@pytest.mark.parametrize("loader", [DataLoader(Stream()), (number for number in range(3))])
@pytest.mark.parametrize("known", [None, 3])
def test_data_without_a_length(tuner: Tuner, calls: list[Any], loader: Any, known: int | None) -> None:
    taken = list(tuner.track(loader, minibatches=known))
    assert calls[0] == begun(known, workers=0 if isinstance(loader, DataLoader) else None)
    assert calls[1:] == [*["end"] * len(taken), "interrupt", "stop"]


def test_accumulated_minibatches_are_parts_of_a_cycle(tuner: Tuner, calls: list[Any]) -> None:
    list(tuner.track("abcde", accumulate=2))
    assert calls[1:-1] == ["part", "end", "part", "end", "interrupt", "end", "interrupt"]


def test_a_loop_inside_is_validation(tuner: Tuner, calls: list[Any]) -> None:
    seen = [(batch, other) for batch in tuner.track("ab") for other in tuner.track("xy")]
    assert seen == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert calls[1:-1] == ["interrupt", "end", "interrupt", "interrupt", "end", "interrupt"]


def test_validation_is_no_part_of_a_minibatch(tuner: Tuner, device: FakeDevice) -> None:
    for number in tuner.track(LONG):
        if number % 10 == 0:
            for _ in tuner.track("v"):
                device.clock.advance(5.0)
        if tuner.phase is Phase.LOCKED:
            break
    assert tuner.profile is not None
    assert tuner.profile.time_ms == pytest.approx(true_time_ms(tuner.profile.modes), rel=1e-6)


def test_an_error_in_the_loop_restores_the_board_at_once(tuner: Tuner, device: FakeDevice, recorder: Recorder) -> None:
    def train() -> None:
        for _ in tuner.track(LONG):
            if len(set(device.applied)) == 3:
                raise ArithmeticError("the loss is NaN")

    with pytest.raises(ArithmeticError, match="the loss is NaN") as raised:
        train()
    assert device.mode == device.found  # Although the traceback keeps the variables of the loop alive.
    assert raised.traceback
    assert recorder.closings == 1


def test_break_restores_the_board_and_the_next_loop_goes_on(tuner: Tuner, device: FakeDevice) -> None:
    for _ in tuner.track(LONG):
        if len(set(device.applied)) == 3:
            break
    assert device.mode == device.found
    measured = len(tuner.profile or ())
    applied = len(device.applied)
    assert measured == 3
    for _ in tuner.track(LONG):
        if tuner.phase is Phase.LOCKED:
            break
    assert len(device.applied) - applied == 5 - 2 + 1  # The first two modes need no second look; the choice does.


def test_a_loader_that_is_never_exhausted(tuner: Tuner, device: FakeDevice) -> None:
    with tuner:
        batches = iter(tuner.track(LONG))
        for _ in range(500):
            next(batches)
        assert device.mode != device.found
    assert device.mode == device.found
    next(batches)  # The loop may go on without the tuner.


def test_a_loop_that_nobody_refers_to_any_more(tuner: Tuner, device: FakeDevice) -> None:
    batches = iter(tuner.track(LONG))
    while not device.applied:
        next(batches)
    assert device.mode != device.found
    del batches
    assert device.mode == device.found


def test_a_tuner_that_was_started_is_neither_started_nor_stopped(tuner: Tuner, device: FakeDevice) -> None:
    with tuner.start(minibatches=100, workload="mine"):
        for _ in tuner.track(range(15), workload="another"):
            pass
        assert tuner.phase is Phase.MEASURING_START
        assert device.minibatches == 15


def test_off_a_jetson_the_loop_goes_on_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    tuner = Tuner("13 W", verbose=False)
    assert [batch for _ in range(3) for batch in tuner.track("ab", epochs=3)] == ["a", "b"] * 3
    assert len(caplog.records) == 1
    assert "no Jetson found" in caplog.text


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": True}, {"accumulate": 1.5}, {"minibatches": -1}])
def test_wrong_arguments_are_named_before_the_loop_begins(tuner: Tuner, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ArgumentError, match=f"^{name}="):
        tuner.track("ab", **wrong)


def test_a_budget_that_cannot_be_met_is_raised_in_the_loop_under_strict(device: FakeDevice, oracle: Oracle) -> None:
    options = ProfilingOptions(predictor=oracle)
    tuner = Tuner("1 W", device=device, max_share=1.0, strict=True, verbose=False, options=options)

    def train() -> None:
        for _ in tuner.track(LONG):
            pass

    with pytest.raises(BudgetError, match="1 W"):
        train()
    assert device.mode == device.found


class Waiting(FakeDevice):
    """Its loop moves the clock itself: a quarter of a minibatch passes before its data is there."""

    def work(self, share: float) -> None:
        self.clock.advance(share * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)

    def minibatch_started(self) -> None: ...

    def minibatch_ended(self) -> None: ...


def test_it_reports_when_the_data_is_there(oracle: Oracle) -> None:
    device = Waiting()

    def loader() -> Iterator[int]:
        for number in LONG:
            device.work(0.25)
            yield number

    options = ProfilingOptions(predictor=oracle)
    tuner = Tuner("13 W", device=device, max_modes=5, verbose=False, options=options)
    for _ in tuner.track(loader()):
        device.work(0.75)
        if tuner.phase is Phase.LOCKED:
            break
    assert tuner.profile is not None
    waits = [each.signals.data_wait_ms for each in tuner.profile.measurements]
    assert waits == pytest.approx([0.25 * each.time_ms for each in tuner.profile.measurements])
