"""The file of a characterization, from which it also continues."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning_powertrain.characterization.plan import CharacterizationPlan
from lightning_powertrain.characterization.training import Training
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.devices.software_checks import jetpack
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Profile, Provenance, WindowPlan
from lightning_powertrain.profiling.cache_entry import sync
from lightning_powertrain.tuning import History
from lightning_powertrain.tuning.opening import described

SELF_CHECK, IS_COMPLETE = "self_check", "is_complete"
"""What the provenance calls the result of the self-check, and whether everything was measured."""

_DATES, _ASKED = "dates", "asked"


class Record:
    """A profile on disk that is replaced after each window, so that at most one window is ever lost.

    Args:
        path: The CSV file; a JSON file of the same name lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_suffix(".csv")

    def open(self, fresh: Profile, device: BaseDevice) -> Profile:
        """The profile to continue: the one in the file, or else ``fresh``.

        Raises:
            ArgumentError: If the file is of another board, workload or plan.
            FileFormatError: If it cannot be read.
        """
        if not self.path.exists():
            return fresh
        found = Profile.load(self.path)
        about, new = found.provenance, fresh.provenance
        is_same = History(found).belongs_to(device) and about.workload == new.workload
        if not is_same or about.details.get(_ASKED) != new.details[_ASKED]:
            is_of = f"{about.workload} on {about.board}, {_words(about.details.get(_ASKED, {}))}"
            what = f"a new file; this one is of {is_of}, and not of {new.workload} on {new.board}"
            raise ArgumentError.of("out", str(self.path), f"{what}, {_words(new.details[_ASKED])}")
        return with_details(found, {_DATES: [*about.details[_DATES], *new.details[_DATES]]})

    def save(self, profile: Profile) -> None:
        """Replace both files. After a loss of power there are the old ones or the new ones."""
        partial = self.path.with_name(f".{self.path.stem}.part.csv")
        profile.save(partial)
        # The table first: with a row that the other file does not know of, both are sound.
        for suffix in (".csv", ".json"):
            sync(partial.with_suffix(suffix))
            partial.with_suffix(suffix).replace(self.path.with_suffix(suffix))


def with_details(profile: Profile, more: Mapping[str, Any]) -> Profile:
    """A profile with more details in its provenance."""
    about = profile.provenance
    return replace(profile, provenance=replace(about, details={**about.details, **more}))


def _words(asked: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items() if value is not None)


def provenance_of(
    device: BaseDevice, training: Training, plan: CharacterizationPlan, window: WindowPlan, note: str
) -> Provenance:
    """Where the figures come from; the serial number of the board is left out.

    Args:
        device: The board, before anything was set.
        training: The workload.
        plan: What is measured.
        window: How long a mode is measured.
        note: What no file on the board says: cooling, temperature of the room, power supply.
    """
    health = device.health()
    known: Mapping[str, Any] = {
        **described(device.board),
        "jetpack": jetpack(device.board.identity.get("release", ""))[1],
        "kernel": "" if device.simulated else platform.release(),
        "library": version("lightning-powertrain"),
        "runs_on": training.runs_on,
        "power": getattr(device, "power_source", ""),
        "rails": sorted(device.read_power().rails_w),
        "start_mode": dict(device.current_mode()),
        "start_temperature_c": health.temperature_c,
        "note": note,
    }
    details = {name: value for name, value in known.items() if value not in ("", None, [])}
    details[_ASKED] = {"modes": plan.modes, "seed": plan.seed, "power_limit_w": plan.power_limit_w}
    details["window"] = asdict(window)
    details[_DATES] = [datetime.now().astimezone().isoformat(timespec="minutes")]
    return Provenance(device.board.key, training.name, device.simulated, details)
