"""The order of visits: cores change rarely, and power does not drift."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import load_board
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.profiling import latin_hypercube, visiting_order

SPACE = load_board("orin-agx-64gb").modes


def test_every_mode_is_visited_once_and_cores_change_as_rarely_as_can_be() -> None:
    modes = latin_hypercube(SPACE, 50, seed=3)
    order = visiting_order(SPACE, modes, seed=3)
    assert sorted(map(str, order)) == sorted(map(str, modes))
    changes = sum(one["cores"] != other["cores"] for one, other in zip(order, order[1:]))
    assert changes == len({mode["cores"] for mode in modes}) - 1
    assert sum(one["cores"] != other["cores"] for one, other in zip(modes, modes[1:])) > 3 * changes


def test_power_does_not_drift_with_time() -> None:
    correlations = []
    for seed in range(12):
        order = visiting_order(SPACE, latin_hypercube(SPACE, 20, seed), seed)
        power_w = simulated_profile("orin-agx-64gb", "resnet18", SPACE.rows(order)).power_w
        correlations.append(np.corrcoef(np.arange(20), power_w)[0, 1])
    assert abs(np.mean(correlations)) < 0.2


def test_the_order_is_reproducible_and_a_seed_changes_it() -> None:
    modes = latin_hypercube(SPACE, 20)
    assert visiting_order(SPACE, modes, 1) == visiting_order(SPACE, modes, 1) != visiting_order(SPACE, modes, 2)


def test_a_board_without_cores_to_set_is_visited_at_random() -> None:
    space = load_board("orin-agx-64gb").modes.subset({"cores": (12,)})
    modes = latin_hypercube(space, 9)
    assert set(visiting_order(space, modes)) == set(modes)
