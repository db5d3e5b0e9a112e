"""The life of a session: which phases follow which, in jobs of many kinds."""

from __future__ import annotations

from collections.abc import Callable

from drifting import Changing, Proportional
from fakes import FakeDevice, Oracle
from warm_runs import Changed, Learning
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.devices import PowerReading, SimulatedDevice
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import History, Observer, Phase
from lightning_powertrain.tuning.phase import TRANSITIONS, is_legal


class Transitions(Observer):
    """Notes every change of phase."""

    def __init__(self) -> None:
        self.phase = Phase.IDLE
        self.seen: set[tuple[Phase, Phase]] = set()

    def phase_changed(self, phase: Phase) -> None:
        self.seen.add((self.phase, phase))
        self.phase = phase

    def closed(self) -> None:
        self.phase = Phase.IDLE


def plain_job(watch: Transitions) -> None:
    with Tuner(
        "13 W",
        device=FakeDevice(),
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=Oracle(), observers=[watch]),
    ).start() as tuner:
        train(tuner)


def without_verification(watch: Transitions) -> None:
    with Tuner(
        None,
        device=FakeDevice(),
        max_modes=50,
        verbose=False,
        options=ProfilingOptions(predictor=Oracle(), observers=[watch]),
    ).start() as tuner:
        train(tuner)


def too_short(watch: Transitions) -> None:
    with Tuner(
        "13 W", device=FakeDevice(), verbose=False, options=ProfilingOptions(predictor=Oracle(), observers=[watch])
    ).start(minibatches=30) as tuner:
        train(tuner)


def unmet_hard_limit(watch: Transitions) -> None:
    device = SimulatedDevice("orin-agx-64gb", "lstm")
    with Tuner(
        "3 W", device=device, hard_limit=True, verbose=False, options=ProfilingOptions(observers=[watch])
    ).start() as tuner:
        train(tuner)


def measured(modes: int = 8) -> Profile:
    with Tuner(
        "13 W", device=FakeDevice(), max_modes=modes, verbose=False, options=ProfilingOptions(predictor=Learning())
    ).start() as tuner:
        train(tuner)
        assert tuner.profile is not None
        return tuner.profile


def warm_start(watch: Transitions, device: FakeDevice | None = None, *, finished: bool = True) -> None:
    tuner = Tuner(
        "13 W",
        device=device or FakeDevice(),
        max_modes=8,
        verbose=False,
        options=ProfilingOptions(predictor=Learning(), observers=[watch]),
    ).start()
    tuner.warm_start(History(measured(), finished=finished))
    train(tuner)
    tuner.stop()


def warm_start_with_fewer_modes(watch: Transitions) -> None:
    tuner = Tuner(
        "13 W",
        device=FakeDevice(),
        max_modes=30,
        verbose=False,
        options=ProfilingOptions(predictor=Learning(), observers=[watch]),
    ).start()
    tuner.warm_start(History(measured(modes=3)))
    train(tuner)
    tuner.stop()


def warm_start_of_a_run_that_broke_off(watch: Transitions) -> None:
    warm_start(watch, finished=False)


def outdated_warm_start(watch: Transitions) -> None:
    for finished in (True, False):
        warm_start(watch, Changed(time=1.3), finished=finished)


def drift(watch: Transitions, device: Changing | None = None) -> None:
    device = device or Changing(lambda since_s: (1.2, 1.0))
    with Tuner(
        "12 W",
        device=device,
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=Proportional(), observers=[watch]),
    ).start() as tuner:
        train(tuner)
        device.locked_s = device.clock.now()
        while device.clock.now() < device.locked_s + 900:
            tuner.minibatch_ended()


def another_kind_of_work(watch: Transitions) -> None:
    drift(watch, Changing(lambda since_s: (1.5, 0.9)))


def predictions_that_no_longer_hold(watch: Transitions) -> None:
    class OtherWork(Changing):
        def read_power(self) -> PowerReading:
            extra_w = 0.5 * self.mode["cores"] ** 2 if self.clock.now() >= self.locked_s else 0.0
            return PowerReading(super().read_power().total_w + extra_w, {})

    drift(watch, OtherWork())


# Takes a board that reads back another mode than it was asked for, of which an earlier run has other measurements.
RARE = {(Phase.PROFILING, Phase.MEASURING_START)}

JOBS: tuple[Callable[[Transitions], None], ...] = (
    plain_job,
    without_verification,
    too_short,
    unmet_hard_limit,
    warm_start,
    warm_start_with_fewer_modes,
    warm_start_of_a_run_that_broke_off,
    outdated_warm_start,
    drift,
    another_kind_of_work,
    predictions_that_no_longer_hold,
)


def test_every_phase_can_be_reached_and_closed() -> None:
    reached, frontier = {Phase.IDLE}, [Phase.IDLE]
    while frontier:
        after = TRANSITIONS[frontier.pop()] - reached
        reached |= after
        frontier += after
    assert reached == set(Phase) - {Phase.CLOSED}
    assert [phase for phase in Phase if is_legal(phase, Phase.CLOSED)] == [*Phase][:-1]


def test_nothing_follows_closed() -> None:
    assert not any(is_legal(Phase.CLOSED, phase) for phase in Phase)


def test_jobs_of_all_kinds_take_legal_transitions_and_no_entry_of_the_table_is_idle() -> None:
    seen: set[tuple[Phase, Phase]] = set()
    for job in JOBS:
        watch = Transitions()
        job(watch)
        seen |= watch.seen
    assert all(is_legal(before, after) for before, after in seen)
    unused = {(before, after) for before, following in TRANSITIONS.items() for after in following} - seen - RARE
    assert not unused, [f"{before.name} -> {after.name}" for before, after in unused]
