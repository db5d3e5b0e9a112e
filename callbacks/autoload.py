"""Tuning without a line of code: what every Trainer asks for callbacks, once this package is installed.

Both Lightnings call :func:`callbacks` in the constructor of every Trainer, wanted or not. So nothing is imported here
that costs time, and nothing is raised: an error would take the Trainer with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_powertrain.callbacks.automatic import AutomaticPowerTrain


def callbacks(environ: Mapping[str, str] = os.environ) -> list[AutomaticPowerTrain]:
    """A callback if the environment asks for one, else none.

    Args:
        environ: ``POWERTRAIN_BUDGET`` holds a budget in any of its forms; ``POWERTRAIN=auto`` asks for a mode that is
            neither slower nor hungrier than the one the job started in. A budget that is set counts.

    Returns:
        A list of one callback, or an empty one.

    >>> callbacks({})
    []
    """
    budget = environ.get("POWERTRAIN_BUDGET", "").strip()
    if not budget and environ.get("POWERTRAIN", "").strip().lower() != "auto":
        return []
    try:
        from lightning_powertrain.callbacks.automatic import AutomaticPowerTrain

        return [AutomaticPowerTrain(budget or None)]
    except Exception as error:
        _warn_once(f"no power-mode tuning, which POWERTRAIN_BUDGET or POWERTRAIN asks for: {error}")
        return []


@lru_cache
def _warn_once(message: str) -> None:
    from lightning_powertrain.warning import warn

    warn("%s", message, see="troubleshooting.md#arguments")
