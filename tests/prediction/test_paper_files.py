"""Files of the paper's networks: what is saved comes back, and other files are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
from profiles import SPACE, profile
from safetensors.numpy import load, save

import lightning_powertrain.prediction.baselines.paper as room
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.prediction import fit_reference, load_reference
from lightning_powertrain.prediction.baselines import PaperNetworks
from lightning_powertrain.prediction.baselines.paper.fitting import fit_networks
from lightning_powertrain.prediction.tensor_files import checksum

BUNDLED = "orin-agx-64gb-resnet18"
Change = Callable[[Dict[str, np.ndarray], Dict[str, Any]], None]


@pytest.fixture(scope="module")
def networks() -> PaperNetworks:
    return fit_networks(profile(15), 4, epochs=2, details={"command": "made up"})


@pytest.fixture(scope="module")
def saved(networks: PaperNetworks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "made-up"
    networks.save(path)
    return path


def test_round_trip(networks: PaperNetworks, saved: Path) -> None:
    loaded = PaperNetworks.load(saved)
    assert loaded.knobs == SPACE.knobs
    assert loaded.provenance == networks.provenance
    assert (loaded.all_modes, loaded.held_out) == (networks.all_modes, networks.held_out)
    assert loaded.details == {"seed": 4, "command": "made up"}
    assert loaded.versions == networks.versions
    ours, theirs = loaded.predict(SPACE.array), networks.predict(SPACE.array)
    np.testing.assert_array_equal(ours.time_ms, theirs.time_ms)
    np.testing.assert_array_equal(ours.power_w, theirs.power_w)


def test_same_profile_and_seed_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    fit_networks(profile(15), 4, epochs=2, details={"command": "made up"}).save(tmp_path / "again")
    for suffix in (".json", ".safetensors"):
        assert (tmp_path / f"again{suffix}").read_bytes() == saved.with_suffix(suffix).read_bytes()


def rename(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    tensors["embedding"] = tensors.pop("layers.0.weight")


def transpose(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    tensors["layers.3.weight"] = np.ascontiguousarray(tensors["layers.3.weight"].swapaxes(1, 2))


def halve(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    tensors["layers.6.bias"] = tensors["layers.6.bias"].astype(np.float16)


def spoil(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    tensors["layers.9.weight"][1, 5, 0] = np.nan


def flatten(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    tensors["std"][2] = 0


def drop_knob(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    del about["knobs"][0]


def forget_errors(tensors: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    del about["errors"]["held_out"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (rename, "not those of two networks of 4 inputs"),
        (transpose, "not those of two networks"),
        (halve, "not those of two networks"),
        (spoil, "not finite"),
        (flatten, "not positive"),
        (drop_knob, "not those of two networks of 3 inputs"),
        (forget_errors, "held_out"),
    ],
)
def test_wrong_content_is_refused_even_with_right_checksums(
    saved: Path, tmp_path: Path, change: Change, reason: str
) -> None:
    tensors = {name: tensor.copy() for name, tensor in load(saved.with_suffix(".safetensors").read_bytes()).items()}
    about = json.loads(saved.with_suffix(".json").read_text())
    change(tensors, about)
    data = save(tensors)
    about["tensors"]["sha256"] = hashlib.sha256(data).hexdigest()
    about["sha256"] = checksum(about)
    (tmp_path / "some.safetensors").write_bytes(data)
    (tmp_path / "some.json").write_text(json.dumps(about))
    with pytest.raises(FileFormatError, match=reason):
        PaperNetworks.load(tmp_path / "some")


def test_references_and_networks_are_not_taken_for_each_other(saved: Path, tmp_path: Path) -> None:
    fit_reference(profile(15)).save(tmp_path / "reference")
    with pytest.raises(
        FileFormatError, match=r"its format is 'lightning-powertrain reference 1', expected .* networks"
    ):
        PaperNetworks.load(tmp_path / "reference")
    with pytest.raises(FileFormatError, match="its format is 'lightning-powertrain paper networks 1', expected"):
        load_reference(saved)


def test_bundled_networks_are_those_of_the_bundled_reference() -> None:
    networks, reference = PaperNetworks.load(BUNDLED), load_reference(BUNDLED)
    assert networks.provenance == reference.provenance
    assert networks.knobs == reference.knobs
    assert networks.details["command"] == f"{reference.details['command']} --paper"
    predicted = networks.predict(reference.profile.modes)
    assert np.mean(np.abs(predicted.time_ms / reference.profile.time_ms - 1)) == pytest.approx(networks.all_modes.time)
    assert np.mean(np.abs(predicted.power_w / reference.profile.power_w - 1)) == pytest.approx(networks.all_modes.power)
    assert max(networks.held_out.time, networks.held_out.power) < 0.1
    folder = Path(room.__file__).parent / "pretrained"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 400_000


def test_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(ArgumentError, match=rf"networks='orin' is not valid.*{BUNDLED}"):
        PaperNetworks.load("orin")
