from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from fakes import TINY
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.profiling import Measurement, Profile, Provenance, Signals

positive = st.floats(1e-6, 1e9, allow_nan=False)
counts = st.integers(0, 10**6)
shares = st.floats(0, 1)
signals = st.builds(
    Signals,
    rails_w=st.dictionaries(st.sampled_from(["VDD_IN", "VDD_CPU_GPU_CV", '5V,"rail"']), positive),
    cores_busy=st.dictionaries(st.integers(0, 13), shares),
    gpu_load=st.none() | shares,
    emc_active_hz=st.none() | positive,
    process_ms=st.none() | positive,
    children_ms=st.none() | positive,
    data_wait_ms=st.none() | positive,
)
measurements = st.builds(
    Measurement,
    mode=st.integers(0, len(TINY.modes) - 1).map(TINY.modes.mode),
    time_ms=positive,
    power_w=positive,
    time_std_ms=positive,
    power_std_w=positive,
    minibatches=counts,
    power_samples=counts,
    discarded_minibatches=counts,
    settle_s=positive,
    capped=st.booleans(),
    temperature_c=st.none() | st.floats(-40, 150),
    signals=signals,
)


@given(st.lists(measurements, max_size=5))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, rows: list[Measurement]) -> None:
    path = tmp_path_factory.mktemp("profile") / "deep" / "profile.csv"
    profile = Profile(TINY.knobs, Provenance("tiny", "toy", True, {"seed": 1, "note": "ü"}), tuple(rows))
    profile.save(path)
    assert Profile.load(path) == profile


def saved(tmp_path: Path) -> Path:
    path = tmp_path / "profile.csv"
    rows = tuple(Measurement(TINY.modes.mode(index), 10.0, 5.0) for index in range(3))
    Profile(TINY.knobs, Provenance("tiny", "toy", False), rows).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("profile.json", "profile 1", "profile 99"),
        ("profile.json", "{", ""),
        ("profile.json", '"cores"', '"role of nothing"'),
        ("profile.json", '"workload"', '"wörkload"'),
        ("profile.csv", "10.0", "fast"),
        ("profile.csv", "time_ms", "time"),
        ("profile.csv", "gpu_hz", "gpu"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, old: str, new: str) -> None:
    path = saved(tmp_path)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"profile\.csv is not a profile that can be read"):
        Profile.load(path)


@pytest.mark.parametrize("name", ["profile.csv", "profile.json"])
def test_half_a_profile_is_refused(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileFormatError, match="two files that belong together"):
        Profile.load(path)


def test_values_that_no_measurement_has_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("10.0", "nan"), encoding="utf-8")
    with pytest.raises(FileFormatError, match="time_ms"):
        Profile.load(path)


def test_json_is_plain(tmp_path: Path) -> None:
    about = json.loads(saved(tmp_path).with_suffix(".json").read_text(encoding="utf-8"))
    assert about["provenance"]["simulated"] is False


def test_files_from_before_the_last_columns_can_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(",throttled_by,capped,temperature_c")
    path.write_text("".join(line.rsplit(",", 3)[0] + "\n" for line in lines), encoding="utf-8")
    loaded = Profile.load(path)
    assert len(loaded) == 3
    assert not any(measurement.capped for measurement in loaded.measurements)
    assert {measurement.temperature_c for measurement in loaded.measurements} == {None}
    assert {measurement.signals for measurement in loaded.measurements} == {Signals()}


def test_signals_are_columns_and_what_a_board_does_not_show_is_empty(tmp_path: Path) -> None:
    rows = (
        Measurement(TINY.modes.mode(0), 10.0, 5.0, signals=Signals({"VDD_IN": 4.5}, {0: 0.25}, gpu_load=0.5)),
        Measurement(TINY.modes.mode(1), 10.0, 5.0, signals=Signals({"VDD_IN": 4.0}, {0: 0.5, 1: 0.75})),
    )
    Profile(TINY.knobs, Provenance("tiny", "toy", False), rows).save(tmp_path / "profile.csv")
    heading, *lines = (tmp_path / "profile.csv").read_text(encoding="utf-8").splitlines()
    assert heading.endswith(",temperature_c,rail_w.VDD_IN,core_busy.0,gpu_load,core_busy.1")
    assert [line.rsplit(",", 4)[1:] for line in lines] == [["4.5", "0.25", "0.5", ""], ["4.0", "0.5", "", "0.75"]]


@pytest.mark.parametrize("value", ["nan", "much"])
def test_a_signal_that_is_no_number_is_refused(tmp_path: Path, value: str) -> None:
    rows = (Measurement(TINY.modes.mode(0), 10.0, 5.0, signals=Signals(gpu_load=0.625)),)
    Profile(TINY.knobs, Provenance("tiny", "toy", False), rows).save(tmp_path / "profile.csv")
    text = (tmp_path / "profile.csv").read_text(encoding="utf-8")
    (tmp_path / "profile.csv").write_text(text.replace("0.625", value), encoding="utf-8")
    with pytest.raises(FileFormatError, match="not a profile that can be read"):
        Profile.load(tmp_path / "profile.csv")


def test_energy_is_time_times_power() -> None:
    assert math.isclose(Measurement(TINY.modes.mode(0), 20.0, 30.0).energy_mj, 600.0)
