"""What the profile of a script depends on, as canonical text: the key under which the cache keeps it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.profiling import canonical
from lightning_powertrain.running.program import Program


def script_fingerprint(program: Program, arguments: Sequence[str], optimizer: Any, workers: int | None) -> str:
    """Fingerprint of a script that trains with an optimizer.

    It holds shapes and types, and not one value of a weight. The path of the script and its arguments, which may be
    private, are in it as a checksum. What two scripts with equal fingerprints may still differ in, such as an edited
    network without parameters, is for verification to find.

    Args:
        program: The script.
        arguments: Its arguments.
        optimizer: The optimizer whose steps end its minibatches.
        workers: Workers of its data loader; None if not known.
    """
    import torch

    name = program.name if program.is_module else str(Path(program.name).resolve())
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return canonical(
        {
            "script": hashlib.sha256(json.dumps([name, *arguments]).encode()).hexdigest(),
            "optimizer": type(optimizer).__qualname__,
            "parameters": [f"{each.dtype}{list(each.shape)} {each.device.type}" for each in parameters],
            "workers": workers,
            "world_size": os.environ.get("WORLD_SIZE", "1"),
            "torch": str(torch.__version__),
        }
    )
