"""LightningCLI: the callback is built from YAML.

    python examples/lightning_cli/train.py fit --config examples/lightning_cli/config.yaml

Any argument can be given on the command line too: ``--trainer.callbacks.budget="15 W"``.
"""

from __future__ import annotations

from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.demos.boring_classes import BoringDataModule, BoringModel


def main(args: list[str] | None = None) -> LightningCLI:
    return LightningCLI(BoringModel, BoringDataModule, args=args, save_config_callback=None)


if __name__ == "__main__":
    main()
