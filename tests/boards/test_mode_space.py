"""Power modes, and the space of them against ``itertools.product``."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, ModeSpace, PowerMode, load_board
from lightning_powertrain.errors import ArgumentError, ModeError

NAMES = ("cores", "cpu_khz", "gpu_hz", "emc_hz")


@st.composite
def spaces(draw: st.DrawFn) -> ModeSpace:
    """Spaces of one to four knobs with one to five values each."""
    table = st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True).map(lambda drawn: tuple(sorted(drawn)))
    count = draw(st.integers(1, len(NAMES)))
    return ModeSpace(tuple(Knob(name, "other", draw(table)) for name in NAMES[:count]))


def brute_force(space: ModeSpace) -> list[dict[str, int]]:
    tables = [knob.values for knob in space.knobs]
    return [dict(zip(space.names, row)) for row in itertools.product(*tables)]


@given(spaces())
def test_array_is_the_product_of_the_tables_in_its_order(space: ModeSpace) -> None:
    expected = brute_force(space)
    assert len(space) == len(expected) == np.prod(space.shape)
    assert space.array.shape == (len(space), len(space.knobs))
    assert [dict(zip(space.names, row)) for row in space.array.tolist()] == expected
    assert [dict(space.mode(i)) for i in range(len(space))] == expected


@given(spaces())
def test_index_inverts_mode(space: ModeSpace) -> None:
    assert [space.index(space.mode(i)) for i in range(len(space))] == list(range(len(space)))


@given(spaces(), st.data())
def test_subset_keeps_exactly_the_modes_with_the_given_values(space: ModeSpace, data: st.DataObject) -> None:
    knob = data.draw(st.sampled_from(space.knobs))
    kept = data.draw(st.lists(st.sampled_from(knob.values), min_size=1, unique=True))
    subset = space.subset({knob.name: sorted(kept)})
    assert [dict(subset.mode(i)) for i in range(len(subset))] == [m for m in brute_force(space) if m[knob.name] in kept]
    assert all(subset.mode(i) in space for i in range(len(subset)))


@given(spaces(), st.data())
def test_at_most_is_the_highest_mode_under_the_caps(space: ModeSpace, data: st.DataObject) -> None:
    caps = {
        knob.name: data.draw(st.integers(knob.values[0], knob.values[-1] + 1))
        for knob in space.knobs
        if data.draw(st.booleans())
    }
    allowed = [mode for mode in brute_force(space) if all(mode[name] <= cap for name, cap in caps.items())]
    assert dict(space.at_most(caps)) == allowed[-1]
    assert space.highest == brute_force(space)[-1]


@given(spaces(), st.data())
def test_contains_is_membership_of_the_product(space: ModeSpace, data: st.DataObject) -> None:
    modes = brute_force(space)
    mode = dict(data.draw(st.sampled_from(modes)))
    assert mode in space
    name = data.draw(st.sampled_from(space.names))
    changed = {**mode, name: data.draw(st.integers(0, 2**40))}
    assert (changed in space) == (changed in modes)


@given(spaces())
def test_rows_are_the_array_again(space: ModeSpace) -> None:
    rows = space.rows(space.mode(i) for i in range(len(space)))
    np.testing.assert_array_equal(rows, space.array)
    assert rows.dtype == np.int64


def test_rows_of_nothing() -> None:
    assert load_board("orin-nano-8gb").modes.rows([]).shape == (0, 4)


def test_all_modes_of_an_orin_are_one_read_only_array() -> None:
    array = load_board("orin-agx-64gb").modes.array
    assert array.shape == (18_096, 4)
    assert array.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


@pytest.fixture
def orin() -> ModeSpace:
    return load_board("orin-agx-64gb").modes


@pytest.mark.parametrize("index", [-1, 18_096])
def test_no_such_row(orin: ModeSpace, index: int) -> None:
    with pytest.raises(ArgumentError, match=f"index={index}.*from 0 to 18095"):
        orin.mode(index)


def test_mode_with_a_value_outside_its_table(orin: ModeSpace) -> None:
    with pytest.raises(ModeError, match=r"gpu_hz=5 is not in this board's table. Allowed: 114750000, "):
        orin.index({**orin.highest, "gpu_hz": 5})


@pytest.mark.parametrize("mode", [{}, {"cores": 2}, dict.fromkeys((*NAMES, "dla_hz"), 1)])
def test_mode_with_other_knobs(orin: ModeSpace, mode: dict[str, int]) -> None:
    assert mode not in orin
    with pytest.raises(ModeError, match="exactly these knobs: cores, cpu_khz, gpu_hz, emc_hz"):
        orin.index(mode)


def test_only_mappings_are_modes(orin: ModeSpace) -> None:
    assert tuple(orin.highest.values()) not in orin


def test_bad_subsets(orin: ModeSpace) -> None:
    with pytest.raises(ModeError, match=r"dla_hz is not a knob.*cores, cpu_khz"):
        orin.subset({"dla_hz": [1]})
    with pytest.raises(ModeError, match=r"cores=13 is not in this board's table. Allowed: 1, 2"):
        orin.subset({"cores": [2, 13]})
    with pytest.raises(ArgumentError, match=r"cores=.*at least one value"):
        orin.subset({"cores": []})


def test_bad_spaces() -> None:
    cores = Knob("cores", "cores", (1, 2))
    for knobs in ((), (cores, cores)):
        with pytest.raises(ArgumentError, match="each name once"):
            ModeSpace(knobs)
    with pytest.raises(ArgumentError, match=r"gpu_hz=\(\).*at least one value"):
        ModeSpace((cores, Knob("gpu_hz", "gpu")))


def test_mode_equals_any_mapping_with_its_items() -> None:
    mode = PowerMode(cores=4, cpu_khz=1113600)
    assert mode == {"cpu_khz": 1113600, "cores": 4}
    assert mode != PowerMode(cores=4, cpu_khz=1190400)
    assert mode != {"cores": 4}
    assert hash(mode) == hash(PowerMode(cpu_khz=1113600, cores=4))
    assert len({mode, PowerMode(cpu_khz=1113600, cores=4), PowerMode(cores=5, cpu_khz=1113600)}) == 2


def test_mode_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PowerMode(cores=4)["cores"] = 5  # type: ignore[index]


def test_mode_as_text() -> None:
    mode = PowerMode(a57_cores=2, denver_cores=0, a57_khz=345600, gpu_hz=114750000, emc_hz=1065600000)
    assert str(mode) == "2 a57 cores, 0 denver cores, a57 345.6 MHz, gpu 114.75 MHz, emc 1065.6 MHz"
    assert eval(repr(mode), {"PowerMode": PowerMode}) == mode
