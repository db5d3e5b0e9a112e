from __future__ import annotations

import pytest

from lightning_powertrain.terminal import print_line

TEXT = "A simulated orin-agx-64gb trains resnet18. Every figure below is simulated, none was measured."


@pytest.mark.parametrize(
    ("is_terminal", "lines"),
    [
        (True, ["A simulated orin-agx-64gb trains resnet18. Every figure below is simulated, none", "was measured."]),
        (False, [TEXT]),
    ],
)
def test_a_terminal_breaks_between_words_and_a_pipe_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool, lines: list[str]
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    print_line(TEXT)
    assert capsys.readouterr().out.splitlines() == lines
