"""No argument at all: a mode that is neither slower nor hungrier than the one the job started in.

On a Jetson:        python examples/zero_config.py
Without a Jetson:   the same; it says so once, and trains as ever.
"""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel

from lightning_powertrain import PowerTrainCallback


def main() -> None:
    trainer = pl.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, callbacks=[PowerTrainCallback()])
    trainer.fit(BoringModel())


if __name__ == "__main__":
    main()
