"""Through which files a minibatch of a training loop of one's own passes."""

from __future__ import annotations

from fakes import FakeDevice, Oracle, arguments
from path_trace import PathTrace, assert_short

from lightning_powertrain import Tuner


def test_a_plain_minibatch_passes_through_few_files(device: FakeDevice, oracle: Oracle) -> None:
    device.settle_s = 0.2
    tuner = Tuner("13 W", **arguments(device=device, max_modes=3, max_share=1.0, verbose=False, predictor=oracle))
    trace = PathTrace(lambda: tuner.phase)
    starts, ends = trace.starts(tuner.minibatch_started), trace.ends(tuner.minibatch_ended)
    with tuner.start(minibatches=1500):
        for _ in range(1500):
            starts()
            ends()
    assert_short(trace)
