"""`powertrain run` on a virtual board, as a program: python virtual_run.py ROOT_OF_THE_BOARD SCRIPT."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from plain_board import start_helper
from survival.board import QuickClock

from lightning_powertrain.cli import main
from lightning_powertrain.devices import SysfsDevice, opening


class QuickBoard(SysfsDevice):
    """The virtual board, with a sensor that settles soon."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, lambda: start_helper(root))
        self.clock = QuickClock()
        self.settle_s = 2.0


if __name__ == "__main__":
    root = Path(sys.argv[1])
    opening.find_jetson = lambda: QuickBoard(root)
    main(["run", "--budget", "energy", "--max-modes=5", "--max-share=1", *sys.argv[2:]])
