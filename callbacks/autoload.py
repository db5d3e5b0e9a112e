"""Tuning without a line of code: what every Trainer asks for callbacks, once this package is installed.

Both Lightnings call :func:`callbacks` in the constructor of every Trainer, wanted or not. So nothing is imported here
that costs time, and nothing is raised: an error would take the Trainer with it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_powertrain.callbacks.automatic import AutomaticPowerTrain


def callbacks(environ: Mapping[str, str] = os.environ) -> list[AutomaticPowerTrain]:
    """A callback if the environment asks for one, else none.

    Args:
        environ: ``POWERTRAIN_BUDGET`` holds a budget in any of its forms; ``POWERTRAIN=auto`` asks for least
            energy, no slower than the mode that the job started in. ``POWERTRAIN_BUDGET`` takes precedence.
            ``POWERTRAIN_DEVICE`` names a device, such as ``simulated:orin-agx-64gb``; by default it is this board.
            ``POWERTRAIN_RUN``, which ``powertrain run`` sets for its script, takes precedence over all of them: the
            arguments of the callback as JSON.

    Returns:
        A list of one callback, or an empty one.

    >>> callbacks({})
    []
    """
    # A callback that was created before any Lightning was loaded is given here the one of its Trainer.
    lightning = sys.modules.get("lightning_powertrain.callbacks._lightning")
    if lightning is not None:
        lightning.inherit_from_loaded()
    budget = environ.get("POWERTRAIN_BUDGET", "").strip()
    run = environ.get("POWERTRAIN_RUN")
    if not run and not budget and environ.get("POWERTRAIN", "").strip().lower() != "auto":
        return []
    try:
        from lightning_powertrain.callbacks.automatic import AutomaticPowerTrain

        if run:
            return [AutomaticPowerTrain(**json.loads(run))]
        return [AutomaticPowerTrain(budget or None, device=environ.get("POWERTRAIN_DEVICE", "").strip() or None)]
    except Exception as error:
        from lightning_powertrain.logs import warn

        what = "Power-mode tuning is disabled: POWERTRAIN_BUDGET, POWERTRAIN or POWERTRAIN_DEVICE is not valid: %s"
        warn(what, error, see="troubleshooting.md#arguments", once=True)
        return []
