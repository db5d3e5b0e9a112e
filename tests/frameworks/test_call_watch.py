"""The watch that tells when a call has ended, however it ended."""

from __future__ import annotations

import threading
import time

import pytest

from lightning_powertrain.jobs import call_watch
from lightning_powertrain.jobs.call_watch import CallWatch, calling


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_watch, "_PERIOD_S", 0.02)


class Job:
    def __init__(self) -> None:
        self.ended = threading.Event()
        self.watch: CallWatch | None = None

    def train(self, seconds: float = 0.0, error: BaseException | None = None) -> None:
        self._announce()
        time.sleep(seconds)
        assert not self.ended.is_set()
        if error is not None:
            raise error

    def _announce(self) -> None:
        call = calling(Job, "train")
        assert call is not None
        self.watch = CallWatch(call, self.ended.set)


class Derived(Job):
    """A class of the user."""


@pytest.mark.parametrize("kind", [Job, Derived])
@pytest.mark.parametrize("error", [None, ValueError(), KeyboardInterrupt()])
def test_it_acts_after_the_call_and_not_before(kind: type[Job], error: BaseException | None) -> None:
    job = kind()
    if error is None:
        job.train(seconds=0.2)
    else:
        with pytest.raises(type(error)):
            job.train(0.2, error)
    assert job.ended.wait(10.0)
    assert job.watch is not None
    job.watch.stop()


def test_a_watch_that_was_stopped_does_not_act() -> None:
    job = Job()

    def stop() -> None:
        job.train()
        assert job.watch is not None
        job.watch.stop()

    stop()
    assert not job.ended.wait(0.2)


def test_the_innermost_call_of_a_method() -> None:
    class Nested(Job):
        def train(self, seconds: float = 0.0, error: BaseException | None = None) -> None:
            self.found = (calling(Job), calling(Job, "outer"), calling(Job, "nobody"), calling(int))

        def outer(self) -> None:
            self.train()

    job = Nested()
    job.outer()
    innermost, outer, *others = job.found
    assert innermost is not None
    assert innermost.f_code.co_name == "train"
    assert outer is not None
    assert outer.f_code.co_name == "outer"
    assert others == [None, None]
