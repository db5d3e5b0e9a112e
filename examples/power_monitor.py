"""What a job draws and spends, with no tuning.

On a Jetson, or with an NVIDIA GPU:   python examples/power_monitor.py
Without either:                       python examples/power_monitor.py --device simulated:orin-agx-64gb:resnet18
"""

from __future__ import annotations

import argparse

import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel
from pytorch_lightning.loggers import CSVLogger

from lightning_powertrain import PowerMonitor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default=None)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()

    logger = CSVLogger(".")
    trainer = pl.Trainer(max_epochs=arguments.epochs, logger=logger, callbacks=[PowerMonitor(arguments.device)])
    trainer.fit(BoringModel())
    print(f"Power over time: {logger.log_dir}/metrics.csv")


if __name__ == "__main__":
    main()
