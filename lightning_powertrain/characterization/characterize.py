"""One characterization, from opening the board to restoring it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightning_powertrain.characterization.plan import CharacterizationPlan
from lightning_powertrain.characterization.record import IS_COMPLETE, SELF_CHECK, Record, provenance_of, with_details
from lightning_powertrain.characterization.self_check import SelfCheck, check_profile
from lightning_powertrain.characterization.survey import Stage, Survey
from lightning_powertrain.characterization.training import Training, train
from lightning_powertrain.devices import BaseDevice, Pollers
from lightning_powertrain.profiling import Profile, WindowPlan
from lightning_powertrain.tuning import ProfilingOptions
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.mode_runner import ModeRunner


@dataclass(frozen=True)
class Characterization:
    """What came of a characterization.

    Args:
        profile: All that was measured.
        check: Whether it can be relied on.
        is_complete: Whether everything that was planned was measured.
    """

    profile: Profile
    check: SelfCheck
    is_complete: bool


def characterize(
    device: BaseDevice,
    training: Training,
    plan: CharacterizationPlan,
    path: Path,
    *,
    note: str = "",
    tell: Callable[[Stage], None] = lambda stage: None,
) -> Characterization:
    """Measure a board into a file, and restore the board, whatever happens.

    If the file is there already, this continues where that was interrupted.

    Args:
        device: The board.
        training: What trains meanwhile.
        plan: What to measure.
        path: The CSV file.
        note: What no file on the board says: cooling, temperature of the room, power supply.
        tell: Is called whenever something changes.

    Raises:
        ArgumentError: If the file is of another board or workload.
        FileFormatError: If the file cannot be read.
        DeviceError: If the board cannot be set, measured or restored.
        BudgetError: If no mode keeps the power limit.
    """
    config = TuningConfig.checked(
        plan.power_limit_w, None, 1.0, plan.power_limit_w is not None, True, ProfilingOptions(seed=plan.seed), None
    )
    record = Record(path)
    window = WindowPlan(max(1, training.prefetched), device.settle_s)
    about = provenance_of(device, training, plan, window, note)
    profile = record.open(Profile(device.modes.knobs, about), device)
    if profile.provenance.details.get(IS_COMPLETE):
        return Characterization(profile, check_profile(profile, len(device.modes)), is_complete=True)
    runner = ModeRunner(device, Pollers(device), config, window, profile)
    survey = Survey(runner, config, plan, record.save, tell)
    try:
        device.snapshot()
        runner.start()
        train(training, runner, survey.steps())
        end_c = device.health().temperature_c
    finally:
        runner.close()
        device.restore()
    check = check_profile(runner.profile, len(device.modes))
    profile = with_details(
        runner.profile,
        {"end_temperature_c": end_c, SELF_CHECK: check.about(), IS_COMPLETE: survey.is_complete},
    )
    record.save(profile)
    return Characterization(profile, check, survey.is_complete)
