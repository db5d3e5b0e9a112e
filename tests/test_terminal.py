from __future__ import annotations

import io
import sys

import pytest

from lightning_powertrain.terminal import print_amid, print_line, wrapped

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


class Terminal(io.StringIO):
    """A terminal 20 columns wide; it moves to the next line once a line is full."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> list[str]:
        lines, column = [" " * 20], 0
        for character in self.getvalue():
            if character in "\r\n" or column == 20:
                column = 0
                lines.extend([" " * 20] if character != "\r" else [])
            if character not in "\r\n":
                lines[-1] = lines[-1][:column] + character + lines[-1][column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]


@pytest.mark.parametrize("left", ["", "\r48/200", "Epoch 3 ...", "\r12345678901234567890"])
@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_line_of_ours_keeps_what_the_program_left_in_its_line(
    monkeypatch: pytest.MonkeyPatch, left: str, has_tqdm: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    if not has_tqdm:
        monkeypatch.delitem(sys.modules, "tqdm", raising=False)
    terminal.write(left)
    print_amid("PowerTrain")
    print_amid("again")
    assert terminal.shown() == [*([left.strip()] if left else []), "PowerTrain", "again", ""]


def test_a_file_gets_a_new_line_only_where_it_may_hold_a_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    print_amid("text")
    print_amid("text", may_follow_bar=True)
    assert capsys.readouterr().out == "text\n\ntext\n"
