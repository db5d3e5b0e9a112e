"""Tunes the power mode of a script that knows nothing of it, from its optimizer steps alone."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lightning_powertrain.logs import swallowed, warn
from lightning_powertrain.running.fingerprint import script_fingerprint
from lightning_powertrain.running.loaders import LoaderWatch, loader_workers
from lightning_powertrain.running.minibatches import MinibatchUnit, Pauses
from lightning_powertrain.running.options import RunOptions
from lightning_powertrain.running.program import Program
from lightning_powertrain.running.steps import StepWatch
from lightning_powertrain.terminal import print_amid
from lightning_powertrain.tuning import Observer, Phase, Progress, claims

if TYPE_CHECKING:
    from lightning_powertrain.devices import Clock
    from lightning_powertrain.profiling import Measurement
    from lightning_powertrain.tuner import Tuner
    from lightning_powertrain.tuning.history_store import HistoryStore

_NO_STEP = (
    "no optimizer step was seen in this process, so no power mode was tuned. A program that trains in processes of its "
    "own is tuned in these: start each of them with `python -m lightning_powertrain.run`"
)
_FEW_STEPS = "the script ended after {} optimizer steps, and tuning needs more than 20 of one optimizer"


class ScriptTuning:
    """Tunes while the optimizers of this process step, and stands aside for a tuner that the script uses itself.

    Args:
        options: What the user decided.
        program: The script.
        arguments: Its arguments.
    """

    def __init__(self, options: RunOptions, program: Program, arguments: Sequence[str] = ()) -> None:
        self._options = options
        self._program = program
        self._arguments = arguments
        self._watch = StepWatch(self._stepped)
        self._loaders = LoaderWatch(self._minibatch_started)
        self._unit = MinibatchUnit()
        self._pauses = Pauses()
        self._tuner: Tuner | None = None
        self._steps = 0
        self._has_begun = False
        self._thread: int | None = None
        self._clock: Clock
        self._ended_s = 0.0

    def start(self) -> None:
        """Tune from the first optimizer steps on."""
        claims.stand_aside(self._stand_aside)
        self._watch.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave_to_parent)

    def stop(self, *, is_complete: bool) -> None:
        """Restore the board.

        Args:
            is_complete: Whether the script has come to its end by itself; then one line says why nothing was tuned.
        """
        if self._watch.is_active and is_complete and not self._has_begun:
            reason = _FEW_STEPS.format(self._steps) if self._steps else _NO_STEP
            with swallowed("printing why nothing was tuned"):
                _print(f"PowerTrain: {reason}.")
        claims.no_longer(self._stand_aside)
        self._end()

    def _end(self) -> None:
        self._watch.stop()
        self._loaders.stop()
        self._stop_tuner()

    def _stop_tuner(self) -> None:
        tuner, self._tuner = self._tuner, None
        if tuner is not None:
            tuner.stop()

    def _stand_aside(self) -> None:
        self._has_begun = True
        self._end()

    def _leave_to_parent(self) -> None:
        """In a forked process: the board is not its own."""
        self._watch.stop()
        self._loaders.stop()
        self._tuner = None

    def _stepped(self, optimizer: Any) -> None:
        try:
            self._steps += 1
            was_known = self._unit.is_known
            if self._unit.ends_with(optimizer):
                self._minibatch_ended()
            elif self._unit.is_known != was_known:
                self._stop_tuner()  # Another optimizer trains now: what was measured is of another job.
                if not was_known:
                    self._begin(optimizer)
        except Exception as error:
            self._end()
            what = "power-mode tuning has stopped (%r); training continues unchanged"
            warn(what, error, see="troubleshooting.md#tuning-stops")

    def _minibatch_started(self) -> None:
        # Some programs load their data in a thread of their own.
        if self._tuner is not None and threading.get_ident() == self._thread:
            self._tuner.minibatch_started()

    def _minibatch_ended(self) -> None:
        tuner = self._tuner
        if tuner is None:
            return
        if self._pauses.is_pause(self._clock.now() - self._ended_s):
            tuner.interrupt()
        tuner.minibatch_ended()
        self._ended_s = self._clock.now()

    def _begin(self, optimizer: Any) -> None:
        """Begin to tune: from now on steps of ``optimizer`` end minibatches."""
        claims.no_longer(self._stand_aside)
        workers, prefetched = loader_workers()
        store = self._options.history_store()
        tuner = self._new_tuner(store)
        minibatches, seen = self._options.minibatches, self._unit.minibatches
        tuner.start(
            minibatches=None if minibatches is None else max(0, minibatches - seen),
            seconds=self._options.seconds,
            prefetched=prefetched,
            workers=workers,
            workload="script",
        )
        self._has_begun = True
        if tuner.phase is Phase.IDLE or tuner.device is None:
            self._end()  # There is no board, and a warning has said so.
            return
        claims.stand_aside(self._stand_aside)
        self._tuner, self._clock, self._thread = tuner, tuner.device.clock, threading.get_ident()
        self._warm_start(tuner, store, optimizer, workers)
        self._loaders.start()
        self._pauses.forget()
        self._ended_s = self._clock.now()

    def _warm_start(self, tuner: Tuner, store: HistoryStore, optimizer: Any, workers: int | None) -> None:
        """Start from what an earlier run of the same script has measured."""
        history = None
        with swallowed("taking the fingerprint of the script, which the profile cache needs,"):
            assert tuner.device is not None
            fingerprint = script_fingerprint(self._program, self._arguments, optimizer, workers)
            history = store.find(tuner.device, fingerprint)
        if history is not None:
            tuner.warm_start(history)

    def _new_tuner(self, store: HistoryStore) -> Tuner:
        # These import torch and what draws figures, which the script may want to do first.
        from lightning_powertrain.reporting import ConsoleReporter, RunWriter
        from lightning_powertrain.tuner import Tuner
        from lightning_powertrain.tuning import ProfilingOptions

        options = self._options
        observers: list[Observer] = [_NewMode(self._pauses), store, RunWriter(options.out)]
        if options.verbose:
            observers.append(ConsoleReporter(write=_print, simulated=options.simulated))
        return Tuner(
            options.budget,
            device=options.device,
            max_modes=options.max_modes,
            max_share=options.max_share,
            hard_limit=options.hard_limit,
            verbose=False,
            options=ProfilingOptions(observers=observers, spread=True),
        )


class _NewMode(Observer):
    """Has pauses recognised anew in each mode."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses

    def phase_changed(self, phase: Phase) -> None:
        self._pauses.forget()

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self._pauses.forget()


def _print(line: str) -> None:
    print_amid(line, may_follow_bar="ultralytics" in sys.modules)
