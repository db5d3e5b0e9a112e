"""Budgets of a whole job under a Trainer: its length, its interruptions, and its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeDevice
from jobs import Model, data, trainer
from resuming import RESUME_WARNINGS, broken_off, callback_for, gone_on, state_in

from lightning_powertrain.errors import BudgetError

pytestmark = RESUME_WARNINGS


def test_a_trainer_tells_the_length_of_the_job(tiny: FakeDevice) -> None:
    callback = callback_for(tiny, budget="1 h")
    trainer(callback).fit(Model(), data(2500))
    outcome = callback.outcome
    assert outcome is not None
    assert outcome.course is not None
    assert (outcome.course.budget, outcome.course.minibatches) == ("1 h", 2500)
    assert outcome.course.now.minibatches == 2500
    assert outcome.course.now.spent.seconds == pytest.approx(tiny.clock.now(), rel=0.01)


def test_a_trainer_without_an_end_is_refused_under_strict(tiny: FakeDevice) -> None:
    callback = callback_for(tiny, budget="50 Wh", strict=True)
    job = trainer(callback, max_epochs=-1, max_time="00:00:01:00")
    with pytest.raises(BudgetError, match="max_epochs or max_steps"):
        job.fit(Model(), data(2500))


def test_a_resumed_job_goes_on_from_what_it_has_spent(tiny: FakeDevice, tmp_path: Path) -> None:
    path = tmp_path / "saved.ckpt"
    broken_off(path, 800, callback_for(tiny, budget="1 h"))
    spent = state_in(path)["spent"]
    assert spent["seconds"] == pytest.approx(tiny.clock.now(), rel=0.01)
    second = FakeDevice()
    callback = callback_for(second, budget="1 h")
    gone_on(path, callback)
    again = callback.state_dict()["spent"]
    assert again["seconds"] == pytest.approx(spent["seconds"] + second.clock.now(), rel=0.01)
    assert again["joules"] > 1.5 * spent["joules"]
