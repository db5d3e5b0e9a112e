"""The command line of `powertrain run`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_powertrain.cli import main

Output = pytest.CaptureFixture[str]


def refusal(output: Output, *arguments: str) -> str:
    """The one line with which a wrong call ends."""
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments])
    assert ended.value.code == 2
    said = output.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("launcher", "command"),
    [
        (
            ["torchrun", "--nproc-per-node=2", "train.py"],
            "torchrun --nproc-per-node=2 -m lightning_powertrain.run {} train.py",
        ),
        (["accelerate", "launch", "-m", "pkg"], "accelerate launch -m lightning_powertrain.run {} -m pkg"),
        (
            ["-m", "torch.distributed.run", "a.py"],
            "python -m torch.distributed.run -m lightning_powertrain.run {} a.py",
        ),
    ],
)
def test_a_launcher_is_answered_with_the_command_that_works(launcher: list[str], command: str, capsys: Output) -> None:
    assert command.format("--budget '30 W'") in refusal(capsys, "--budget", "30 W", *launcher)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--budget", "30 X", "script.py"], "budget='30 X' is not valid"),
        (["--device", "orin", "script.py"], "device='orin' is not valid"),
        (["--max-modes", "many", "script.py"], "max_modes='many' is not valid"),
        (["--minutes", "0", "script.py"], "minutes=0.0 is not valid"),
        (["no-such-script.py"], "SCRIPT='no-such-script.py' is not valid"),
    ],
)
def test_a_wrong_call_is_refused_before_the_script_runs(
    arguments: list[str], reason: str, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text("raise AssertionError", encoding="utf-8")
    assert reason in refusal(capsys, *arguments)


@pytest.mark.parametrize("python", ["python", "python3", sys.executable])
@pytest.mark.parametrize("program", [["script.py"], ["-m", "script"]], ids=["script", "module"])
def test_the_name_of_python_itself_may_come_first(
    python: str, program: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python", "python3"):
        (tmp_path / name).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "script.py").write_text("import sys\nprint(sys.argv[1:])", encoding="utf-8")
    main(["run", "--quiet", python, *program, "--epochs", "3"])
    assert capsys.readouterr().out.splitlines()[0] == "['--epochs', '3']"


@pytest.mark.parametrize("given", [["-u", "script.py"], ["-c", "pass"], ["-m"], []], ids=str)
def test_options_of_python_itself_are_answered_with_the_command_that_works(given: list[str], capsys: Output) -> None:
    assert "python OPTIONS -m lightning_powertrain.run" in refusal(capsys, sys.executable, *given)


def test_another_python_is_answered_with_the_command_that_works(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert f"{other} -m lightning_powertrain.run" in refusal(capsys, "python3", "script.py")


def test_a_module_that_is_not_there_is_refused_in_words(capsys: Output) -> None:
    assert "MODULE='no_such.module' is not valid" in refusal(capsys, "-m", "no_such.module")


def test_what_follows_the_script_is_its_own(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys\nprint(sys.argv)\nsys.exit(7)", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--quiet", "script.py", "--budget", "x", "-m", "--quiet"])
    assert ended.value.code == 7
    assert capsys.readouterr().out == "['script.py', '--budget', 'x', '-m', '--quiet']\n"
    file = "script.py" if sys.version_info < (3, 9) else str(tmp_path / "script.py")  # As Python itself has it.
    assert vars(sys.modules["__main__"])["__file__"] == file
