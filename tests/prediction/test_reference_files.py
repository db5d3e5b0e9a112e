"""References: what is saved comes back, and no damaged or foreign file gets in."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import SPACE, profile
from safetensors.numpy import load, save

from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.prediction import (
    GreyBoxTransfer,
    ReferenceProfile,
    fit_reference,
    load_reference,
    reference_names,
)
from lightning_powertrain.prediction.tensor_files import checksum
from lightning_powertrain.profiling import Profile


@pytest.fixture(scope="module")
def reference() -> ReferenceProfile:
    return fit_reference(profile(15), seed=4, details={"command": "made up", "date": "2026-01-01"})


@pytest.fixture(scope="module")
def files(reference: ReferenceProfile, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Content of the two files."""
    path = tmp_path_factory.mktemp("reference") / "made-up"
    reference.save(path)
    return path.with_suffix(".safetensors").read_bytes(), path.with_suffix(".json").read_bytes()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes, bytes], Path]:
    """Writes two files of any content; returns the path to load."""

    def write_files(tensors: bytes, about: bytes) -> Path:
        (tmp_path / "some.safetensors").write_bytes(tensors)
        (tmp_path / "some.json").write_bytes(about)
        return tmp_path / "some"

    return write_files


def sealed(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> tuple[bytes, bytes]:
    """Two files whose checksums are right, whatever is in them."""
    data = save(tensors)
    about = {**about, "tensors": {**about["tensors"], "sha256": hashlib.sha256(data).hexdigest()}}
    return data, json.dumps({**about, "sha256": checksum(about)}).encode()


@pytest.mark.parametrize("suffix", ["", ".json", ".safetensors"])
@pytest.mark.parametrize("name", ["plain", "with.dots.1"])
def test_round_trip(reference: ReferenceProfile, tmp_path: Path, name: str, suffix: str) -> None:
    reference.save(tmp_path / "new folder" / (name + suffix))
    assert {path.name for path in (tmp_path / "new folder").iterdir()} == {f"{name}.json", f"{name}.safetensors"}
    loaded = ReferenceProfile.load(str(tmp_path / "new folder" / (name + suffix)))
    assert loaded.about() == reference.about()
    assert loaded.knobs == SPACE.knobs
    assert (len(loaded.profile), loaded.seed, loaded.provenance.simulated) == (15, 4, True)
    assert loaded.profile.modes.tolist() == reference.profile.modes.tolist()
    for name in ("time_ms", "power_w"):
        np.testing.assert_array_equal(getattr(loaded.profile, name), getattr(reference.profile, name))


def test_same_profile_and_seed_give_the_same_bytes(reference: ReferenceProfile, tmp_path: Path) -> None:
    again = fit_reference(profile(15), seed=4, details=dict(reference.details))
    reference.save(tmp_path / "one")
    again.save(tmp_path / "two")
    for suffix in (".json", ".safetensors"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_checksum_in_the_json_is_that_of_the_safetensors_file(files: tuple[bytes, bytes]) -> None:
    tensors, about = files
    assert json.loads(about)["tensors"]["sha256"] == hashlib.sha256(tensors).hexdigest()
    shapes = {name: list(tensor.shape) for name, tensor in load(tensors).items()}
    assert json.loads(about)["tensors"]["shapes"] == shapes
    assert shapes["profile.modes"] == [15, 4]


@pytest.mark.parametrize("missing", [".json", ".safetensors"])
def test_missing_file_is_refused(reference: ReferenceProfile, tmp_path: Path, missing: str) -> None:
    reference.save(tmp_path / "half")
    (tmp_path / f"half{missing}").unlink()
    with pytest.raises(
        FileFormatError, match=r"half cannot be read as a reference file .* half.safetensors and half.json"
    ):
        ReferenceProfile.load(tmp_path / "half")


def parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused(
    files: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, 1))
    damaged = bytearray(files[which])
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    else:
        # Headers and JSON are short: half of the flips shall hit them.
        last = len(damaged) if data.draw(st.booleans()) else min(2500, len(damaged))
        for position in data.draw(st.lists(st.integers(0, last - 1), min_size=1, max_size=3, unique=True)):
            damaged[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    for number, suffix in enumerate((".safetensors", ".json")):
        path.with_suffix(suffix).write_bytes(bytes(damaged) if number == which else files[number])
    # Only the white space of the JSON file may differ unnoticed.
    if which == 1 and parsed(bytes(damaged)) == json.loads(files[1]):
        assert ReferenceProfile.load(path).seed == 4
    else:
        with pytest.raises(FileFormatError, match="damaged cannot be read as a reference file"):
            ReferenceProfile.load(path)


def test_foreign_weights_are_refused(
    files: tuple[bytes, bytes], write: Callable[[bytes, bytes], Path], tmp_path: Path
) -> None:
    fit_reference(profile(15), seed=5).save(tmp_path / "other")
    path = write((tmp_path / "other.safetensors").read_bytes(), files[1])
    with pytest.raises(FileFormatError, match="a checksum does not match"):
        ReferenceProfile.load(path)


def shorten(tensors: dict[str, np.ndarray]) -> None:
    tensors["grey_box.time.shift"] = tensors["grey_box.time.shift"][:-1]


def cloud(tensors: dict[str, np.ndarray]) -> None:
    tensors["grey_box.power.dual_coefficients"][3] = np.inf


def add(tensors: dict[str, np.ndarray]) -> None:
    tensors["grey_box.power.more"] = np.zeros(2)


def add_network(tensors: dict[str, np.ndarray]) -> None:
    tensors["layers.0.weight"] = np.zeros(2)


def stop(tensors: dict[str, np.ndarray]) -> None:
    tensors["profile.time_ms"][2] = 0


def halve(tensors: dict[str, np.ndarray]) -> None:
    tensors["profile.power_w"] = tensors["profile.power_w"].astype(np.float32)


def drop_model(tensors: dict[str, np.ndarray]) -> None:
    for name in [name for name in tensors if name.startswith("grey_box.")]:
        del tensors[name]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dict.clear, "not those of a profile"),
        (stop, "not a positive number"),
        (halve, "not one of 15 modes of 4 knobs"),
        (drop_model, "KeyError: 'time.dual_coefficients'"),
        (shorten, "grey box of time is not one of 14 parameters and 4 knobs"),
        (cloud, "numbers that are not finite"),
        (add, "grey box has other tensors than parameters, shift"),
        (add_network, "other tensors than those of a profile and of a model"),
    ],
)
def test_wrong_tensors_are_refused_even_with_right_checksums(
    files: tuple[bytes, bytes],
    write: Callable[[bytes, bytes], Path],
    change: Callable[[dict[str, np.ndarray]], None],
    reason: str,
) -> None:
    tensors, about = load(files[0]), json.loads(files[1])
    assert ReferenceProfile.load(write(*sealed(tensors, about))).seed == 4, "unchanged, it must load"
    tensors = {name: tensor.copy() for name, tensor in tensors.items()}
    change(tensors)
    with pytest.raises(FileFormatError, match=reason):
        ReferenceProfile.load(write(*sealed(tensors, about)))


@pytest.mark.parametrize(
    "change",
    [
        {"knobs": [{"name": "cores", "role": "cores", "values": [1, 2]}]},
        {"knobs": [{"name": "cores", "role": "wheels", "values": [1, 2]}]},
        {"knobs": 3},
        {"provenance": {"board": "only"}},
        {"errors": {}},
        {"modes": 14},
    ],
)
def test_wrong_facts_are_refused_even_with_right_checksums(
    files: tuple[bytes, bytes], write: Callable[[bytes, bytes], Path], change: dict[str, Any]
) -> None:
    path = write(*sealed(load(files[0]), {**json.loads(files[1]), **change}))
    with pytest.raises(FileFormatError, match="cannot be read as a reference file"):
        ReferenceProfile.load(path)


@pytest.mark.parametrize(
    "about", [b"", b"[]", b"null", b'"text"', b"{}", b"[" * 100_000, b"\xff\xfe", pickle.dumps({"format": "x"})]
)
def test_json_of_something_else_is_refused(
    files: tuple[bytes, bytes], write: Callable[[bytes, bytes], Path], about: bytes
) -> None:
    with pytest.raises(FileFormatError, match="cannot be read as a reference file"):
        ReferenceProfile.load(write(files[0], about))


def test_other_version_is_refused_by_name(files: tuple[bytes, bytes], write: Callable[[bytes, bytes], Path]) -> None:
    about = {**json.loads(files[1]), "format": "lightning-powertrain reference 2"}
    with pytest.raises(FileFormatError, match=r"its format is 'lightning-powertrain reference 2', expected '.* 1'"):
        ReferenceProfile.load(write(*sealed(load(files[0]), about)))


def test_too_small_a_profile_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 10 modes"):
        fit_reference(replace(profile(10), measurements=profile(10).measurements[:9]))


def test_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(ArgumentError, match=r"reference='orin' is not valid.*orin-agx-64gb-resnet18"):
        load_reference("orin")


def test_paths_are_distinguished_from_names(reference: ReferenceProfile, tmp_path: Path) -> None:
    reference.save(tmp_path / "mine")
    for path in (tmp_path / "mine", str(tmp_path / "mine"), str(tmp_path / "mine.json")):
        assert load_reference(path).seed == 4
    with pytest.raises(FileFormatError):
        load_reference("nowhere.json")


@pytest.mark.parametrize("name", reference_names())
def test_bundled_references_load_say_what_they_are_and_are_small(name: str) -> None:
    import lightning_powertrain.prediction as room

    reference = load_reference(name)
    assert reference.provenance.simulated
    assert len(reference.profile) == 4368
    assert reference.details["command"].startswith("powertrain reference fit simulated:orin-agx-64gb:resnet18 ")
    assert reference.time_error < 0.04
    assert reference.power_error < 0.03
    folder = Path(room.__file__).parent / "references"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 400_000


def test_the_reference_of_the_study_is_bundled() -> None:
    assert "orin-agx-64gb-resnet18" in reference_names()


def prior_of(source: ReferenceProfile | Profile) -> np.ndarray:
    prior = GreyBoxTransfer(source, seed=4).reference_time_ms(SPACE.array)
    assert prior is not None
    return prior


def test_what_was_fitted_to_a_reference_comes_with_it(reference: ReferenceProfile, tmp_path: Path) -> None:
    reference.save(tmp_path / "made-up")
    loaded = ReferenceProfile.load(tmp_path / "made-up")
    assert loaded.model.layout == reference.model.layout
    for name, array in reference.model.tensors().items():
        np.testing.assert_array_equal(loaded.model.tensors()[name], array)
    np.testing.assert_array_equal(prior_of(loaded), prior_of(reference.profile))


@pytest.mark.parametrize("name", reference_names())
def test_bundled_fits_are_those_of_the_code_as_it_is(name: str) -> None:
    """Else ``powertrain reference fit``, with the command in its file, has to be run again."""
    reference = load_reference(name)
    shipped, fitted = (
        GreyBoxTransfer(each, reference.seed).reference_time_ms(reference.profile.modes[::40])
        for each in (reference, reference.profile)
    )
    np.testing.assert_allclose(shipped, fitted, rtol=0.01)
