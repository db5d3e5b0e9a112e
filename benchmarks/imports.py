"""What importing this package adds to importing Lightning, side by side, each in processes of its own.

python benchmarks/imports.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

REPEATS = 7
STATEMENTS = {
    "pytorch_lightning": "import pytorch_lightning",
    "and lightning_powertrain": "import pytorch_lightning, lightning_powertrain",
    "and PowerTrainCallback": "import pytorch_lightning; from lightning_powertrain import PowerTrainCallback",
}


def seconds(statement: str) -> float:
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(REPEATS):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    alone = statistics.median(times["pytorch_lightning"])
    print(f"{f'median of {REPEATS}, least, most (seconds)':<52}{'of pytorch_lightning':>22}")
    for name, spent in times.items():
        middle = statistics.median(spent)
        print(f"{name:<28}{middle:8.3f}{min(spent):8.3f}{max(spent):8.3f}{middle / alone:22.3f}")


if __name__ == "__main__":
    main()
