"""``python -m lightning_powertrain.cli``: the same as ``powertrain``."""

from lightning_powertrain.cli import main

main()
