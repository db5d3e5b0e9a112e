"""``python -m lightning_powertrain.run``: the same as ``powertrain run``, for launchers that start Python themselves.

For instance ``torchrun --nproc-per-node=2 -m lightning_powertrain.run --budget "30 W" train.py``.
"""

import sys

from lightning_powertrain.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
