"""The page of evaluation tables, from what the benchmarks printed: nobody types a figure.

``benchmarks/evaluation.sh`` writes one text file a table. It begins with the command, the day, and notes on what is
particular about that run; an empty line follows, then the output.
"""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

TITLES = {
    "paper": "The paper's workloads, simulated",
    "foreign": "Boards drawn at random, from five references, simulated",
    "signals": "What free signals are worth on boards drawn at random, simulated",
    "foreign-jobs": "Choices of a tuned job on boards drawn at random, simulated",
    "rivals": "Methods of others on boards drawn at random, simulated",
    "energy": "Energy saved at nearly equal speed, simulated",
    "decisions": "Choices of a tuned job, simulated",
    "hard-budget": "Choices under a hard limit, simulated",
    "verified": "Predicted choices before and after they are measured, simulated",
    "job": "Whole jobs, simulated",
    "job-paper": "Whole jobs with the paper's method, simulated",
    "budgets": "Budgets of whole jobs, simulated",
    "budgets-of-8-hours": "Budgets of whole jobs of eight hours, simulated",
    "solar-day": "A budget that follows the sun, simulated",
    "zero-configuration": "Jobs without a budget, simulated",
    "profiling-cost": "Cost of profiling, simulated",
    "agx-xavier-networks": "AGX Xavier, networks and a reference of the Orin AGX, simulated",
    "agx-xavier-from-none": "AGX Xavier without a reference, simulated",
    "agx-xavier-from-orin-agx-64gb-resnet18": "AGX Xavier with the bundled reference, simulated",
    "agx-xavier-from-resnet18": "AGX Xavier with a reference of its own, simulated",
    "orin-nano-networks": "Orin Nano, networks and a reference of the Orin AGX, simulated",
    "orin-nano-from-none": "Orin Nano without a reference, simulated",
    "orin-nano-from-orin-agx-64gb-resnet18": "Orin Nano with the bundled reference, simulated",
    "orin-nano-from-resnet18": "Orin Nano with a reference of its own, simulated",
    "tx2-inception": "TX2, Inception v3 at four image sizes, recorded",
    "tx2-inception-networks": "TX2, Inception v3 at four image sizes: networks, recorded",
    "tx2-alexnet": "TX2, AlexNet with two CPU clusters, recorded",
    "tx2-alexnet-networks": "TX2, AlexNet with two CPU clusters: networks, recorded",
    "gpu-training": "Training on data centre GPUs, recorded",
    "gpu-training-networks": "Training on data centre GPUs: networks, recorded",
    "decide": "CPU seconds of decisions",
    "overhead": "CPU time of the hooks and of sampling",
}
"""The heading of each table, by the name of its file, in the order of the page."""

_INTRO = """\
# Evaluation: tables

[How good is it?](evaluation.md) asks the questions and answers them. [How it is evaluated](evaluation-methods.md)
explains methods and columns. This page holds the tables as the benchmarks printed them:
`docs/building/evaluation_tables.py` makes it from the files in `benchmarks/results`.
"""


def evaluation_tables(folder: Path = RESULTS) -> str:
    """Markdown: a section for each table that is there."""
    paths = {name: folder / f"{name}.txt" for name in TITLES}
    return "\n".join([_INTRO, *(_section(name, path) for name, path in paths.items() if path.exists())])


def _section(name: str, path: Path) -> str:
    head, _, output = path.read_text(encoding="utf-8").partition("\n\n")
    command, *remarks = head.splitlines()
    return f"## {TITLES[name]} {{#{name}}}\n\n```\n{command[2:]}\n```\n\n```\n{output.rstrip()}\n```\n\n" + "".join(
        f"- {remark}\n" for remark in remarks
    )
