"""Which intervals are no measure of a minibatch."""

from __future__ import annotations

from lightning_powertrain.running.pauses import Pauses


def found(intervals: list[float]) -> list[int]:
    """Where pauses were seen."""
    pauses = Pauses()
    return [place for place, seconds in enumerate(intervals) if pauses.is_pause(seconds)]


def test_an_evaluation_after_each_epoch_is_a_pause() -> None:
    epoch = [0.1] * 20 + [2.0]
    assert found(epoch * 4) == [20, 41, 62, 83]


def test_scatter_is_no_pause() -> None:
    assert found([0.1, 0.12, 0.09, 0.3] * 10) == []


def test_a_loader_that_makes_every_fourth_minibatch_wait_is_how_the_job_runs() -> None:
    assert found([0.01, 0.01, 0.01, 0.4] * 10) == []


def test_nothing_is_a_pause_before_the_usual_interval_is_known() -> None:
    assert found([0.1] * 7 + [9.0]) == []


def test_a_slower_power_mode_begins_anew() -> None:
    pauses = Pauses()
    assert not any(pauses.is_pause(0.1) for _ in range(20))
    pauses.forget()
    assert not any(pauses.is_pause(0.9) for _ in range(20))
