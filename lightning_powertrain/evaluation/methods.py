"""The methods that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Callable, Optional

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.errors import ArgumentError, MissingPackageError
from lightning_powertrain.evaluation.cases import Case
from lightning_powertrain.evaluation.closed_loop import Kind
from lightning_powertrain.evaluation.rivals import (
    Rival,
    constrained_bayesian,
    correlation_search,
    hill_climbing,
    slope_search,
)
from lightning_powertrain.evaluation.rivals.fulcrum import MODES as FULCRUMS_MODES
from lightning_powertrain.prediction import BasePredictor, GreyBoxTransfer, Prediction
from lightning_powertrain.prediction.baselines import GradientBoosting, LinearRegression, PaperTransfer, RandomForest
from lightning_powertrain.profiling import Profile, Signals, latin_hypercube_rows

Sampler = Callable[[Case, Optional[BasePredictor], int, int], IntArray]
"""A case, the method's predictor, how many modes, seed; to the rows to measure."""


def random_rows(case: Case, predictor: BasePredictor | None, count: int, seed: int) -> IntArray:
    """Rows drawn uniformly at random, as in the paper."""
    return np.asarray(np.random.default_rng(seed).choice(len(case.truth), size=count, replace=False), dtype=np.int64)


def hypercube_rows(case: Case, predictor: BasePredictor | None, count: int, seed: int) -> IntArray:
    """Rows that cover each knob evenly."""
    return latin_hypercube_rows(case.truth.modes, count, seed)


def designed_rows(case: Case, predictor: BasePredictor | None, count: int, seed: int) -> IntArray:
    """Rows that the predictor asks for."""
    assert predictor is not None
    rows = predictor.initial_design(case.truth.knobs, case.truth.modes, count, seed)
    return hypercube_rows(case, predictor, count, seed) if rows is None else rows


@dataclass(frozen=True)
class Method:
    """A way to find the best mode.

    Args:
        about: What it does, in a line.
        sampler: Which modes it measures; None if it measures none but the stock modes, or searches.
        predictor: Makes its predictor, from a case and a seed; None if it chooses among what it measured.
        search: How it searches, if it is one of our own searches.
        rival: How it searches, if it is a search of others.
        rival_modes: Modes that this measures, if their number is a part of it.
        needs_power: Whether its predictor refuses a profile without power.
        needs_sklearn: Whether it needs scikit-learn, which is an optional extra.
        is_ablation: Whether it is another method with something left out: tried only if it is named.
    """

    about: str
    sampler: Sampler | None = None
    predictor: Callable[[Case, int], BasePredictor] | None = None
    search: Kind | None = None
    rival: Rival | None = None
    rival_modes: int | None = None
    needs_power: bool = False
    needs_sklearn: bool = False
    is_ablation: bool = False

    @property
    def searches(self) -> bool:
        """Whether it chooses what to measure by what it measured so far; then each choice is one that was measured."""
        return self.search is not None or self.rival is not None


def _paper(case: Case, seed: int) -> BasePredictor:
    return PaperTransfer(None if case.reference is None else case.reference.networks, seed)


def _boosting(case: Case, seed: int) -> BasePredictor:
    return GradientBoosting(None if case.reference is None else case.reference.networks, seed)


def _forest(case: Case, seed: int) -> BasePredictor:
    return RandomForest(None if case.reference is None else case.reference.networks, seed)


def _grey_box(case: Case, seed: int) -> BasePredictor:
    return GreyBoxTransfer(None, seed) if case.reference is None else case.reference.predictor(seed)


class WithSignals(BasePredictor):
    """A predictor that sees some of the free signals only.

    Args:
        predictor: What is fitted.
        kept: Names of fields of :class:`Signals`.
    """

    def __init__(self, predictor: BasePredictor, kept: Sequence[str]) -> None:
        self._predictor = predictor
        self._kept = kept

    def fit(self, profile: Profile) -> None:
        """Fit to what is kept."""
        rows = (replace(each, signals=self._of(each.signals)) for each in profile.measurements)
        self._predictor.fit(replace(profile, measurements=tuple(rows)))

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes."""
        return self._predictor.predict(modes)

    def _of(self, signals: Signals) -> Signals:
        return Signals(**{name: getattr(signals, name) for name in self._kept})


def _ablation(about: str, *kept: str) -> Method:
    return Method(about, hypercube_rows, lambda case, seed: WithSignals(_grey_box(case, seed), kept), is_ablation=True)


METHODS = {
    "maxn": Method("everything at its maximum"),
    "presets": Method("the best of the board's stock modes, each measured"),
    "random-pareto": Method("the best of the measured modes", random_rows),
    "linear": Method("linear regression", random_rows, lambda case, seed: LinearRegression(), needs_power=True),
    "scratch": Method(
        "the paper's networks, trained from scratch",
        random_rows,
        lambda case, seed: PaperTransfer(None, seed),
        needs_power=True,
    ),
    "paper": Method("the paper's networks, transferred from the reference", random_rows, _paper, needs_power=True),
    "boosting": Method(
        "gradient boosting; the reference's predictions are features, or from scratch without a reference",
        random_rows,
        _boosting,
        needs_power=True,
        needs_sklearn=True,
    ),
    "forest": Method(
        "a random forest, with the same features", random_rows, _forest, needs_power=True, needs_sklearn=True
    ),
    "grey-box": Method("physics and a Gaussian process, on the paper's random modes", random_rows, _grey_box),
    "grey-box-lhs": Method("the same on a Latin hypercube of modes", hypercube_rows, _grey_box),
    "lhs-totals": _ablation("the same without free signals"),
    "lhs-rails": _ablation("the same with the power of single rails only", "rails_w"),
    "lhs-load": _ablation("the same with the load of the GPU only", "gpu_load"),
    "lhs-workers": _ablation("the same with the CPU time of loader workers only", "children_ms"),
    "grey-box-informed": Method("the same on the most informative modes", designed_rows, _grey_box),
    "search": Method("the search of a tuned job: N modes, and up to five verifications", None, _grey_box, "search"),
    "auto": Method("the same until the choice is settled", None, _grey_box, "auto"),
    "hard": Method("the same from the lowest mode, never above the limit", None, _grey_box, "hard"),
    "hill-climbing": Method("one knob at a time, with restarts", rival=hill_climbing),
    "coral": Method("the knob that correlates most with speed or power, after CORAL", rival=correlation_search),
    "fulcrum": Method("slopes along each knob, after Fulcrum", rival=slope_search, rival_modes=FULCRUMS_MODES),
    "bayesian": Method(
        "constrained Bayesian optimisation without physics", rival=constrained_bayesian, needs_sklearn=True
    ),
}
"""By name, in the order of tables."""


def check_methods(names: Sequence[str]) -> None:
    """Refuse methods that do not exist or that need a package that is not installed.

    Raises:
        ArgumentError: If there is no method of a name.
        MissingPackageError: If scikit-learn is needed and not installed.
    """
    for name in names:
        if name not in METHODS:
            raise ArgumentError.of("--methods", name, f"some of {', '.join(METHODS)}")
        if name not in installed_methods():
            raise MissingPackageError.of("scikit-learn", "evaluation")


def installed_methods() -> tuple[str, ...]:
    """Names of the methods whose packages are installed."""
    has_sklearn = find_spec("sklearn") is not None
    return tuple(name for name, method in METHODS.items() if has_sklearn or not method.needs_sklearn)
