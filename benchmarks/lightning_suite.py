"""Lightning's own tests, plain and with the callback in every Trainer: what differs.

Takes a checkout of Lightning's repository, of the version that is installed here, and fetches nothing:

    git clone --branch 2.6.5 https://github.com/Lightning-AI/pytorch-lightning
    python benchmarks/lightning_suite.py pytorch-lightning tests_pytorch/callbacks tests_pytorch/trainer

The environment variables add the callback, as for a user who changes no code, and it tunes a simulated board. A test
that fails in both runs says nothing about us. One that compares an exact list of callbacks fails with any callback.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List
from xml.etree import ElementTree

WITH_CALLBACK = {
    "POWERTRAIN_BUDGET": "30 W",
    "POWERTRAIN_DEVICE": "simulated:orin-agx-64gb",
    "POWERTRAIN_CACHE": "off",
}
USUAL = ["tests_pytorch/callbacks", "tests_pytorch/trainer", "tests_pytorch/loops", "tests_pytorch/checkpointing"]

Outcomes = Dict[str, str]


def outcomes(checkout: Path, tests: List[str], variables: Dict[str, str]) -> Outcomes:
    """Outcome of each test: ``passed``, ``skipped``, or the first line of what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", *tests, "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("POWERTRAIN")}
        subprocess.run(command, cwd=checkout / "tests", env={**plain, **variables}, check=False)
        if not report.exists():
            sys.exit("pytest wrote no report: see its messages above")
        cases = ElementTree.parse(report).iter("testcase")
        return {f"{case.get('classname')}::{case.get('name')}": _outcome(case) for case in cases}


def _outcome(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return f"{kind}: {(found.get('message') or '').partition(chr(10))[0][:160]}"
    return "passed" if case.find("skipped") is None else "skipped"


def differences(plain: Outcomes, ours: Outcomes) -> List[str]:
    """A line for each test that ended in another way with the callback."""
    return [
        f"{name}\n    without: {plain[name]}\n    with:    {ours.get(name, 'did not run')}"
        for name in sorted(plain)
        if plain[name].partition(":")[0] != ours.get(name, "did not run").partition(":")[0]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a checkout of Lightning's repository")
    parser.add_argument("tests", nargs="*", default=USUAL, help="files or folders below its tests/")
    asked = parser.parse_args()
    plain = outcomes(asked.checkout, asked.tests, {})
    ours = outcomes(asked.checkout, asked.tests, WITH_CALLBACK)
    differing = differences(plain, ours)
    print(*differing, sep="\n")
    passed = [sum(outcome == "passed" for outcome in each.values()) for each in (plain, ours)]
    print(f"{len(plain)} tests: {passed[0]} pass without the callback, {passed[1]} with it; {len(differing)} differ.")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
