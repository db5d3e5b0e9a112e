from __future__ import annotations

import pytest

from lightning_powertrain.terminal import print_line, wrapped

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


@pytest.mark.parametrize("width", range(16, 60))
def test_no_line_ends_inside_a_figure_a_path_or_an_option(width: int) -> None:
    text = "Start mode 1,061 ms, 25.8 W and 14.6 % in 4:10 at cpu 1497.6 MHz: see runs/version-0 or --job-time."
    lines = wrapped(text, width).splitlines()
    assert " ".join(lines) == text
    for whole in ("1,061 ms", "14.6 %", "1497.6 MHz", "runs/version-0", "--job-time"):
        assert any(whole in line for line in lines)
    assert all(len(line) <= width for line in lines)


def test_lines_of_their_own_stay_so() -> None:
    assert wrapped("\nWritten.\n", 80) == "\nWritten."
