"""Where a tuner stands, and what it says when a job ends early."""

from __future__ import annotations

from typing import List

import pytest
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Outcome, Phase


class Words(Observer):
    """Records the tuner's word in each phase, and what it receives at an early end."""

    def __init__(self) -> None:
        self.tuner: Tuner
        self.words: List[str] = []
        self.early: List[str] = []

    def phase_changed(self, phase: Phase) -> None:
        if phase is not Phase.CLOSED:
            self.words.append(self.tuner.status.word)

    def ended_early(self, sentence: str) -> None:
        self.early.append(sentence)


@pytest.fixture
def words() -> Words:
    return Words()


def tuner_of(device: FakeDevice, oracle: Oracle, words: Words) -> Tuner:
    words.tuner = Tuner(
        "13 W",
        device=device,
        max_modes=3,
        max_share=1.0,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[words]),
    )
    return words.tuner


def test_each_phase_has_a_word(device: FakeDevice, oracle: Oracle, words: Words) -> None:
    tuner = tuner_of(device, oracle, words)
    assert tuner.status.word == "idle"
    tuner.start()
    train(tuner)
    assert {"warming up", "profiling", "deciding"} <= set(words.words)
    assert tuner.status.word == "locked"
    assert tuner.outcome is not None
    assert str(tuner.outcome.selection.mode) in tuner.status.sentence
    tuner.stop()
    assert tuner.status.word == "closed"
    assert "the board is restored" in tuner.status.sentence
    assert words.early == []


def test_a_job_that_ends_early_says_so(device: FakeDevice, oracle: Oracle, words: Words) -> None:
    with tuner_of(device, oracle, words).start() as tuner:
        for _ in range(3):
            tuner.minibatch_ended()
    assert words.early == [
        "The job ended before a power mode was chosen: 0 power modes measured; the board is restored."
    ]
    assert tuner.status.sentence == words.early[0]
    tuner.stop()
    assert len(words.early) == 1


def test_a_job_that_ends_while_a_choice_is_verified_says_so(device: FakeDevice, oracle: Oracle, words: Words) -> None:
    tuner = tuner_of(device, oracle, words).start()
    while tuner.phase is not Phase.VERIFYING:
        tuner.minibatch_ended()
    tuner.stop()
    assert words.early == [
        "The job ended before a power mode was chosen: 4 power modes measured; the board is restored."
    ]
    assert tuner.status.sentence == words.early[0]


def test_a_job_that_is_too_short_says_so(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(
        "13 W", device=device, max_modes=3, max_share=0.01, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start(minibatches=100)
    train(tuner)
    assert tuner.status.word == "closed"
    assert "too short" in tuner.status.sentence


def test_a_failure_says_why(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner("13 W", device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    tuner.give_up(OSError("the sensor is gone"))
    assert tuner.status.word == "failed"
    assert "the sensor is gone" in tuner.status.sentence


def test_an_outcome_fits_on_a_screen(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(
        "13 W", device=device, max_modes=3, max_share=1.0, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start()
    train(tuner)
    outcome = tuner.outcome
    tuner.stop()
    assert isinstance(outcome, Outcome)
    lines = str(outcome).splitlines()
    assert len(lines) < 12
    assert max(map(len, lines)) < 120
    assert str(outcome.selection.mode) in lines[0]
