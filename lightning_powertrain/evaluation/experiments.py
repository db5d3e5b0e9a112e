"""Named experiments: what to try methods on, and how often."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.evaluation.cases import Case, Columns, recorded_cases, simulated_cases
from lightning_powertrain.evaluation.energy import EnergyExperiment
from lightning_powertrain.evaluation.metrics import FloatArray

DATA_FOLDER = "POWERTRAIN_DATA"
"""The environment variable that names the folder of recorded data sets."""

_RECORDED = Path(f"${DATA_FOLDER}")

# All that can be simulated: the paper's, and the one that it transfers from.
_TO_PREDICT = ("mobilenetv3", "yolov8n", "bert-base", "lstm", "resnet18-gld23k", "mobilenetv3-imagenet")
_ALL_SIMULATED = (*_TO_PREDICT, "resnet18")

# Boards drawn at random; nothing was tuned to these, and nothing may be.
_FOREIGN = tuple(f"foreign-{seed}" for seed in range(1, 9))


@dataclass(frozen=True)
class Experiment:
    """What to try methods on, and how often.

    Args:
        about: What it asks, in a line.
        boards: The simulated boards.
        workloads: The simulated workloads.
        references: The workloads to transfer from, each in turn: of the same board, ``BOARD:WORKLOAD`` of another, or
            a bundled reference; ``none`` to do without; ``TITLE=NAME`` to call it otherwise. By default ``resnet18``
            on a simulated board and no reference for recorded data, which takes one only.
        grid: Named grid of the simulated board, or ``all``.
        dataset: A CSV file of recorded data instead of a simulation.
        knobs: Its columns of knobs; ``name:role`` where the role does not follow from the name.
        time: Its column of times.
        power: Its column of powers in watts; None if it has none.
        workload: Its columns that name the workload, joined by slashes; empty if it has only one.
        methods: Names of methods; empty for all that are installed.
        modes: Numbers of measured modes.
        seeds: Draws for each.
        limits: Lowest and highest power limit in watts, in steps of 1 W; None for limits by the data.
        steps: How many limits by the data.
        verify: Whether predicted choices are measured before they are kept as well.
    """

    about: str = ""
    boards: tuple[str, ...] = ("orin-agx-64gb",)
    workloads: tuple[str, ...] = ("mobilenetv3", "yolov8n", "bert-base", "lstm")
    references: tuple[str, ...] = ()
    grid: str = "study"
    dataset: Path | None = None
    knobs: tuple[str, ...] = ()
    time: str = "time_ms"
    power: str | None = None
    workload: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    modes: tuple[int, ...] = (10, 20, 50)
    seeds: int = 3
    limits: tuple[int, int] | None = None
    steps: int = 20
    verify: bool = False

    @property
    def transferred_from(self) -> tuple[str, ...]:
        """Names of the references, or ``none``."""
        return self.references or (("resnet18",) if self.dataset is None else ("none",))

    def cases(self) -> list[Case]:
        """The workloads to predict.

        Raises:
            ArgumentError: If a board, workload, grid, reference or column does not exist, or the folder of recorded
                data is not known.
            FileFormatError: If the data set cannot be read.
        """
        references = dict(map(_titled, self.transferred_from))
        if self.dataset is None:
            grid = None if self.grid == "all" else self.grid
            return [case for board in self.boards for case in simulated_cases(board, self.workloads, references, grid)]
        if len(references) > 1:
            raise ArgumentError.of("--reference", ",".join(self.references), "one reference for a data set")
        if not self.knobs:
            raise ArgumentError.of("--knobs", "", "columns of the data set, such as cores,cpu_khz,gpu_hz")
        columns = Columns(self.knobs, self.time, self.power, self.workload)
        return recorded_cases(_located(self.dataset), columns, next(iter(references.values())))

    def limits_w(self, cases: list[Case]) -> FloatArray:
        """Power limits for one board: as asked; else the paper's for its board, or some over the range of the data."""
        if self.limits is not None:
            return np.arange(self.limits[0], self.limits[1] + 1, dtype=np.float64)
        if all(case.board == "orin-agx-64gb" for case in cases):
            return np.arange(17.0, 51.0)
        watts = np.concatenate([case.truth.power_w for case in cases if case.has_power] or [np.empty(0)])
        if not len(watts):
            return np.empty(0)
        lowest, highest = np.quantile(watts, [0.1, 0.95]).tolist()
        return np.linspace(lowest, highest, self.steps)

    def heading(self, cases: list[Case]) -> str:
        """Where the figures come from, and whether they are simulated."""
        if self.dataset is None:
            source = f"SIMULATED: {', '.join(self.boards)}"
        else:
            source = f"recorded: {'/'.join(self.dataset.parts[-2:])}"
        counts = [f"{count:,}" for count in sorted({len(case.truth) for case in cases})]
        modes = " to ".join(dict.fromkeys([counts[0], counts[-1]]))
        return f"{source}, {modes} modes, reference {', '.join(self.transferred_from)}"


def _titled(reference: str) -> tuple[str, str | None]:
    """What to call a reference, and its name; None for none.

    >>> _titled("own=resnet18"), _titled("none")
    (('own', 'resnet18'), ('none', None))
    """
    title, _, name = reference.rpartition("=")
    return title or name, None if name == "none" else name


def _located(dataset: Path) -> Path:
    """The path of a data set, which may lie in the folder of recorded data."""
    if dataset.parts[:1] != _RECORDED.parts:
        return dataset
    folder = os.environ.get(DATA_FOLDER)
    if not folder:
        name = Path(*dataset.parts[1:])
        raise ArgumentError(
            f"{DATA_FOLDER} is not set. Set this environment variable to the folder of recorded data that holds {name}."
        )
    return Path(folder, *dataset.parts[1:])


EXPERIMENTS = {
    "paper": Experiment(
        "How many modes does each of the paper's workloads need, from ResNet-18?",
        workloads=_TO_PREDICT,
        methods=(
            *("maxn", "presets", "random-pareto", "linear", "scratch", "paper", "boosting"),
            *("grey-box", "grey-box-lhs", "grey-box-informed"),
        ),
    ),
    "profiling-cost": Experiment(
        "What do errors and choices cost in seconds of profiling?",
        methods=(
            *("random-pareto", "paper", "boosting"),
            *("grey-box", "grey-box-lhs", "grey-box-informed", "search", "auto"),
        ),
        modes=(5, 10, 15, 20, 30, 50, 100),
    ),
    "decisions": Experiment(
        "How good are the choices within each power limit from 17 to 50 W?",
        workloads=_ALL_SIMULATED,
        modes=(10, 50),
        limits=(17, 50),
    ),
    "hard-budget": Experiment(
        "How well is each hard limit from 12 to 50 W kept while searching?",
        workloads=_ALL_SIMULATED,
        methods=("search", "auto", "hard"),
        modes=(10,),
        seeds=1,
        limits=(12, 50),
    ),
    "agx-xavier": Experiment(
        "Does a reference of an Orin AGX help on an AGX Xavier?",
        boards=("agx-xavier",),
        workloads=("resnet18", "mobilenetv3", "yolov8n"),
        references=("orin-agx-64gb-resnet18",),
        grid="all",
    ),
    "orin-nano": Experiment(
        "Does a reference of an Orin AGX help on an Orin Nano?",
        boards=("orin-nano-8gb",),
        workloads=("resnet18", "mobilenetv3", "yolov8n"),
        references=("orin-agx-64gb-resnet18",),
        grid="all",
    ),
    "foreign": Experiment(
        "How far to trust a reference: the board's own, the bundled one, a foreign board's, a wrong one, or none?",
        boards=_FOREIGN,
        workloads=_ALL_SIMULATED,
        references=(
            *("own=resnet18", "bundled=orin-agx-64gb-resnet18", "foreign=foreign-21:resnet18", "wrong=lstm", "none"),
        ),
        methods=("grey-box-lhs",),
        modes=(5, 10, 50),
        seeds=1,
    ),
    "signals": Experiment(
        "What are the free signals of a window worth, on boards that no reference comes from?",
        boards=_FOREIGN,
        workloads=_ALL_SIMULATED,
        references=("orin-agx-64gb-resnet18",),
        methods=("lhs-totals", "lhs-rails", "lhs-load", "lhs-workers", "grey-box-lhs"),
        modes=(5, 10, 50),
        seeds=1,
    ),
    "foreign-jobs": Experiment(
        "How good are choices on boards that no reference comes from?",
        boards=_FOREIGN,
        workloads=_ALL_SIMULATED,
        references=("orin-agx-64gb-resnet18",),
        methods=("search", "auto"),
        modes=(10, 50),
        seeds=1,
        steps=4,
    ),
    "rivals": Experiment(
        "How do predictors and searches of others do without a reference, on boards that nothing was tuned to?",
        boards=_FOREIGN,
        workloads=("mobilenetv3", "bert-base", "lstm"),
        references=("none",),
        methods=(
            *("random-pareto", "linear", "boosting", "forest", "grey-box"),
            *("search", "hill-climbing", "coral", "fulcrum", "bayesian"),
        ),
        modes=(20, 50),
        seeds=1,
        steps=4,
    ),
    "tx2-inception": Experiment(
        "Do methods transfer between image sizes on a real Jetson TX2?",
        dataset=_RECORDED / "tx2-inception" / "profile.csv",
        knobs=("cores", "cpu_khz", "gpu_hz", "emc_hz"),
        workload=("workload",),
        references=("inceptionv3_600x600",),
        seeds=10,
    ),
    "tx2-alexnet": Experiment(
        "Do methods work on a real Jetson TX2 with two CPU clusters, without a reference?",
        dataset=_RECORDED / "tx2-alexnet" / "profile.csv",
        knobs=("a57_cores", "denver_cores", "a57_khz", "denver_khz", "gpu_hz"),
        power="power_w",
        workload=("workload",),
        methods=("random-pareto", "linear", "scratch", "boosting", "grey-box", "grey-box-lhs", "grey-box-informed"),
        seeds=10,
    ),
    "gpu-training": Experiment(
        "Do methods transfer between real training workloads, on two data centre GPUs, with other knobs?",
        dataset=_RECORDED / "gpu-training" / "profile.csv",
        knobs=("batch_size:other", "power_limit_w:other"),
        time="epoch_time_s",
        power="power_w",
        workload=("gpu", "workload"),
        references=("a40/imagenet/resnet50/adadelta",),
        methods=(
            *("random-pareto", "linear", "scratch", "paper", "boosting"),
            *("grey-box", "grey-box-lhs", "grey-box-informed"),
        ),
        modes=(10, 20),
    ),
}
"""By name."""

JOB_EXPERIMENTS = {
    "energy": EnergyExperiment(
        "How much less energy does a training job take at nearly equal speed, from each stock mode?",
        boards=(*_FOREIGN, "orin-agx-64gb"),
        workloads=("resnet18", "mobilenetv3", "yolov8n", "bert-base", "lstm"),
    )
}
"""Experiments that tune whole jobs, by name."""
