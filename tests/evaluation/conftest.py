"""Fixtures of the bench's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightning_powertrain.evaluation import cases
from lightning_powertrain.prediction import DEFAULT_REFERENCE
from lightning_powertrain.prediction.baselines import PaperNetworks


@pytest.fixture(scope="module", autouse=True)
def _bundled_networks() -> Iterator[None]:
    """The bundled networks stand in for those of the paper's grid, whose fit takes a quarter of a minute or more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "fit_paper_networks", lambda profile: PaperNetworks.load(DEFAULT_REFERENCE))
        yield
