"""Fixtures of the bench's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightning_powertrain.evaluation import cases
from lightning_powertrain.prediction import DEFAULT_REFERENCE, load_reference


@pytest.fixture(scope="module", autouse=True)
def _bundled_networks() -> Iterator[None]:
    """The bundled networks stand in for those of the paper's grid, whose fit takes a quarter of a minute or more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "fit_reference", lambda profile: load_reference(DEFAULT_REFERENCE))
        yield
