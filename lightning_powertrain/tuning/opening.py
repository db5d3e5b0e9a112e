"""Opens the session of a job on a board: how its modes are measured, and what its profile says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from lightning_powertrain.boards import Board
from lightning_powertrain.devices import BaseDevice, Pollers
from lightning_powertrain.profiling import Profile, Provenance, WindowPlan
from lightning_powertrain.tuning.breakdown import WORKERS
from lightning_powertrain.tuning.config import MAX_MODES, TuningConfig
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.mode_runner import ModeRunner
from lightning_powertrain.tuning.observers import Observer, ObserverList
from lightning_powertrain.tuning.session import TuningSession


def open_session(
    device: BaseDevice,
    config: TuningConfig,
    job: JobLength,
    observers: Sequence[Observer],
    *,
    prefetched: int,
    workers: int | None,
    workload: str,
) -> TuningSession:
    """A session that has not started.

    Args:
        device: The board.
        config: What the user decided.
        job: How long the job is.
        observers: Are notified of every step, after those of the user.
        prefetched: Minibatches that the data loader keeps ready.
        workers: Workers of the data loader; None if not known.
        workload: Name of the job, for the profile.
    """
    if config.max_modes is None:
        config = replace(config, max_modes=min(MAX_MODES, len(device.modes)))
    window = WindowPlan(max(1, prefetched), device.settle_s, tolerance=config.options.tolerance)
    asked = {"seed": config.options.seed, "max_modes": config.max_modes, "window": asdict(window)}
    loader = {} if workers is None else {WORKERS: workers}
    details = {**described(device.board), **asked, **loader}
    about = Provenance(device.board.key, workload, device.simulated, details)
    pollers = config.options.pollers or Pollers(device)
    runner = ModeRunner(device, pollers, config, window, Profile(device.modes.knobs, about))
    return TuningSession(runner, config, job, ObserverList([*config.options.observers, *observers], config.strict))


def described(board: Board) -> dict[str, str]:
    """Which kind of board it is, and what runs on it; its serial number is left out."""
    known = {"board_model": board.title, "l4t_release": board.identity.get("release", "")}
    known["tpc_pg_mask"] = board.identity.get("tpc_pg_mask", "")
    return {name: text for name, text in known.items() if text}
