"""Makes docs/demo.png and docs/report.png from a run of `powertrain demo`: python docs/building/demo_pictures.py RUN.

The texts of README.md and docs/index.md have to be of the same run. Needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]
# In pixels: the report down to its plot.
WIDTH, HEIGHT = 882, 2160


def main(run: Path) -> None:
    """Copy the plot, and take a picture of the report."""
    folder = run.resolve() / "powertrain"
    shutil.copy(folder / "pareto.png", DOCS / "demo.png")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"]
    picture = f"--screenshot={DOCS / 'report.png'}"
    subprocess.run(["chromium", *options, picture, (folder / "report.html").as_uri()], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
