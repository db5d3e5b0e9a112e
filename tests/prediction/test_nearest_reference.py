"""Of several references the one is used that fits what was measured."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from lightning_powertrain import NearestReference, ProfilingOptions
from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, default_predictor
from lightning_powertrain.profiling import Profile, latin_hypercube

ORIN = load_board("orin-agx-64gb")


def profile_of(workload: str, count: int, seed: int = 0) -> Profile:
    return simulated_profile(ORIN, workload, ORIN.modes.rows(latin_hypercube(ORIN.modes, count, seed)), seed)


@pytest.fixture(scope="module")
def references() -> list[Profile]:
    return [profile_of("bert-base", 80), profile_of("mobilenetv3", 80)]


@pytest.mark.parametrize(("workload", "nearest"), [("bert-base", 0), ("mobilenetv3", 1)])
def test_the_reference_of_the_workload_itself_is_found_wherever_it_stands(
    references: list[Profile], workload: str, nearest: int
) -> None:
    measured, modes = profile_of(workload, 20, seed=3), ORIN.modes.array[::97]
    for order in (references, references[::-1]):
        predictor = NearestReference(order)
        predictor.fit(measured)
        prediction = predictor.predict(modes)
        assert prediction.reference == references[nearest].provenance
    alone = GreyBoxTransfer(references[nearest])
    alone.fit(measured)
    assert np.array_equal(prediction.time_ms, alone.predict(modes).time_ms)


def test_each_fit_chooses_anew_and_a_copy_keeps_its_own(references: list[Profile]) -> None:
    predictor, modes = NearestReference(references), ORIN.modes.array[::997]
    predictor.fit(profile_of("bert-base", 20, seed=3))
    kept = copy(predictor)
    before = kept.predict(modes)
    predictor.fit(profile_of("mobilenetv3", 20, seed=3))
    assert predictor.predict(modes).reference == references[1].provenance
    assert kept.predict(modes).reference == references[0].provenance
    assert np.array_equal(kept.predict(modes).time_ms, before.time_ms)


def test_before_a_fit_the_first_reference_that_suits_the_board_speaks(references: list[Profile]) -> None:
    modes = ORIN.modes.array[::997]
    both, first = NearestReference(references), GreyBoxTransfer(references[0])
    expected, found = first.reference_time_ms(modes), both.reference_time_ms(modes)
    assert expected is not None and found is not None  # noqa: PT018
    assert np.array_equal(found, expected)
    design = both.initial_design(ORIN.modes.knobs, modes, 5)
    assert np.array_equal(design, first.initial_design(ORIN.modes.knobs, modes, 5))
    assert both.reference_time_ms(modes[:, :2]) is None


def test_options_take_one_reference_or_several() -> None:
    bundled = "orin-agx-64gb-resnet18"
    assert isinstance(ProfilingOptions(reference=bundled).with_predictor().predictor, GreyBoxTransfer)
    several = ProfilingOptions(reference=[bundled, bundled]).with_predictor().predictor
    assert isinstance(several, NearestReference)


@pytest.mark.parametrize(("references", "message"), [([], "one reference or more"), (["orin-agx"], "orin-agx")])
def test_wrong_references_are_refused(references: list[str | Path], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        default_predictor(references)
