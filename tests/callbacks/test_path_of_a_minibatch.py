"""Through which files the end of a minibatch passes: a newcomer reads these to know what each of them costs."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fakes import FakeDevice, Oracle, arguments
from jobs import LIGHTNING_WARNINGS, Model, data, trainer

import lightning_powertrain
from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

pytestmark = LIGHTNING_WARNINGS

PACKAGES = (
    Path(lightning_powertrain.__file__).parent,
    Path(sys.modules[PowerTrainCallback.__module__].__file__ or "").parent,
)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame belongs to this library, and was not called by the board of the test."""
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code.co_filename.endswith("fakes.py"):
            return False
        outer = outer.f_back
    return any(package in Path(frame.f_code.co_filename).parents for package in PACKAGES)


class Traced(PowerTrainCallback):
    """Counts, for each phase, the files and the calls of each end of a minibatch."""

    seen: dict[Phase, Counter[tuple[frozenset[str], int]]]

    def on_train_batch_end(self, *details: Any) -> None:
        assert isinstance(self._tuner._tuner, Tuner)
        phase, files, calls = self._tuner._tuner.phase, set(), 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal calls
            if event == "call" and is_ours(frame):
                files.add(Path(frame.f_code.co_filename).name)
                calls += 1

        sys.setprofile(profile)
        try:
            PowerTrainCallback.on_train_batch_end(self, *details)
        finally:
            sys.setprofile(None)
        self.seen.setdefault(phase, Counter())[frozenset(files), calls] += 1


@pytest.fixture
def traced(oracle: Oracle) -> Traced:
    given = arguments(device=FakeDevice(), max_modes=3, max_share=1.0, cache=False, verbose=False, predictor=oracle)
    callback = Traced("13 W", **given)
    callback.seen = {}
    trainer(callback).fit(Model(), data(1500))
    return callback


def test_a_plain_minibatch_passes_through_few_files(traced: Traced) -> None:
    (profiling, calls), count = traced.seen[Phase.PROFILING].most_common(1)[0]
    # The hook of Lightning, what all frameworks have in common, and the tuner that a plain loop calls itself.
    adapter = {"powertrain.py", "job_tuner.py", "lightning_job.py"}
    assert profiling == {*adapter, "tuner.py", "clock.py", "window.py"}
    assert calls < 25
    assert count > 0.4 * sum(traced.seen[Phase.PROFILING].values())
    (locked, calls), _ = traced.seen[Phase.LOCKED].most_common(1)[0]
    assert locked == {*adapter, "tuner.py", "clock.py"}
    assert calls < 15
