"""No argument at all: least energy per minibatch, no slower than the start mode, with no more power.

On a Jetson:        python examples/zero_config.py
Without a Jetson:   the same; it says so once, and trains unchanged.

A script needs not even the callback: with POWERTRAIN=auto, or a budget in POWERTRAIN_BUDGET, every Trainer has one.
That is what --from-environment shows here:

    POWERTRAIN_BUDGET="30 W" python examples/zero_config.py --from-environment
"""

from __future__ import annotations

import argparse

import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel

from lightning_powertrain import PowerTrainCallback


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from-environment", action="store_true", help="leave the callback to the environment")
    arguments = parser.parse_args()

    callbacks: list[pl.Callback] = [] if arguments.from_environment else [PowerTrainCallback()]
    trainer = pl.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, callbacks=callbacks)
    trainer.fit(BoringModel())
    print(f"Callbacks: {', '.join(type(callback).__name__ for callback in trainer.callbacks)}")


if __name__ == "__main__":
    main()
