"""Scripts of the kind found in tutorials: tuned without a change, and with the same weights bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_powertrain.running import find_program

SCRIPTS = Path(__file__).parent.parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))


def same(one: Any, other: Any) -> bool:
    """Whether two saved results are equal, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_same_bit_for_bit(
    name: str, run: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = find_program(str(SCRIPTS / f"{name}.py"), is_module=False)
    program.execute(program.load([str(tmp_path / "untuned.pt")]))
    assert "PowerTrain" not in capsys.readouterr().out
    run(SCRIPTS / f"{name}.py", [str(tmp_path / "tuned.pt")])
    assert "PowerTrain (simulated): this power mode stays" in capsys.readouterr().out
    assert (tmp_path / "powertrain" / "report.html").is_file()
    untuned, tuned = (torch.load(tmp_path / f"{each}.pt") for each in ("untuned", "tuned"))
    assert same(untuned, tuned)
