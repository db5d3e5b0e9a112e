"""Through which files a minibatch of Lightning passes, from the start of its hooks to their end."""

from __future__ import annotations

from typing import Any

from fakes import FakeDevice, Oracle, arguments
from jobs import LIGHTNING_WARNINGS, Model, data, trainer
from path_trace import PathTrace, assert_short

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.tuning import Phase

pytestmark = LIGHTNING_WARNINGS


def test_a_plain_minibatch_passes_through_few_files(oracle: Oracle) -> None:
    given = arguments(device=FakeDevice(), max_modes=3, max_share=1.0, cache=False, verbose=False, predictor=oracle)
    callback: Any = PowerTrainCallback("13 W", **given)
    trace = PathTrace(lambda: callback._tuner.active.phase if callback._tuner.active else Phase.IDLE)
    callback.on_train_batch_start = trace.starts(callback.on_train_batch_start)
    callback.on_train_batch_end = trace.ends(callback.on_train_batch_end)
    trainer(callback).fit(Model(), data(1500))
    assert_short(trace, "powertrain.py")
