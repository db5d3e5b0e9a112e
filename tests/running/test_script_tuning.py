"""What is tuned, and by whom, while a script runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest
from torch.utils.data import DataLoader

from lightning_powertrain.callbacks.autoload import callbacks
from lightning_powertrain.devices import VirtualClock
from lightning_powertrain.running import RunOptions
from lightning_powertrain.running.options import FOR_TRAINERS
from lightning_powertrain.running.program import Program
from lightning_powertrain.running.script_tuning import ScriptTuning
from lightning_powertrain.tuning import claims

Run = Callable[..., Any]
Output = pytest.CaptureFixture[str]

BOARD = "simulated:orin-agx-64gb"
BEGINS = "measuring the power mode that the job started in"
STAYS = "this power mode stays"
TRAIN = """
import torch
def train(steps):
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        layer(torch.ones(4, 2)).square().mean().backward()
        optimizer.step()
"""


def lines(output: Output) -> list[str]:
    return [line for line in output.readouterr().out.splitlines() if line.startswith("PowerTrain")]


# What is said.


def test_a_script_without_a_step_says_so_in_one_line(run: Run, capsys: Output) -> None:
    run("value = 1")
    (line,) = lines(capsys)
    assert "no optimizer step was seen in this process, so no power mode was tuned" in line


def test_a_script_with_few_steps_says_so_in_one_line(run: Run, capsys: Output) -> None:
    run(TRAIN + "train(7)")
    (line,) = lines(capsys)
    assert "the script ended after 7 optimizer steps, and tuning needs more than 20 of one optimizer" in line


@pytest.mark.parametrize("ending", ["1 / 0", "raise SystemExit(2)"])
def test_a_script_that_fails_is_left_to_say_why(run: Run, capsys: Output, ending: str) -> None:
    with pytest.raises((ZeroDivisionError, SystemExit)):
        run(ending)
    assert lines(capsys) == []


def test_quiet_prints_nothing_and_writes_the_files(run: Run, capsys: Output, tmp_path: Path) -> None:
    run(TRAIN + "train(700)", verbose=False, out=tmp_path / "files")
    assert lines(capsys) == []
    assert json.loads((tmp_path / "files" / "summary.json").read_text(encoding="utf-8"))["simulated"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_script_without_an_output_is_tuned(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(TRAIN + "train(60)\nraise SystemExit(5)", encoding="utf-8")
    ours = [sys.executable, "-m", "lightning_powertrain.run", "--device", BOARD, "script.py"]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *ours]
    done = subprocess.run(closed, check=False, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (5, "")


def test_off_a_jetson_one_warning_says_so(
    run: Run, caplog: pytest.LogCaptureFixture, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(TRAIN + "train(100)", device=None)
    (record,) = caplog.records
    assert "no Jetson found" in record.getMessage()
    assert lines(capsys) == []


def test_a_job_that_is_known_to_be_short_stays_as_it_is(
    run: Run, caplog: pytest.LogCaptureFixture, capsys: Output
) -> None:
    run(TRAIN + "train(200)", minibatches=200, max_share=0.05)
    assert "the job is too short to tune its power mode" in caplog.text
    assert STAYS not in capsys.readouterr().out


# Who tunes.


def test_a_tuner_of_the_script_tunes_alone(run: Run, capsys: Output) -> None:
    script = """
from lightning_powertrain import Tuner
train(60)
with Tuner(device="simulated:orin-agx-64gb", verbose=False).start() as tuner:
    train(60)
    phase = tuner.phase.name
train(100)
"""
    main = run(TRAIN + script)
    said = lines(capsys)
    assert main.phase != "IDLE"
    assert sum(BEGINS in line for line in said) == 1
    assert "The job ended before a power mode was chosen" in said[-1]


TRAINER = """
import warnings, logging
warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel
from lightning_powertrain import PowerTrainCallback
def fit(own, steps):
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0, callbacks=own,
    )
    trainer.fit(BoringModel())
    return [type(each).__name__ for each in trainer.callbacks if each.status.word == "closed"]
"""


def test_a_trainer_of_the_script_tunes_alone(run: Run, capsys: Output) -> None:
    main = run(TRAIN + TRAINER + "tuned = fit([], 60)\ntrain(60)")
    assert main.tuned == ["AutomaticPowerTrain"]
    said = lines(capsys)
    assert sum(BEGINS in line for line in said) == 1


def test_a_callback_of_the_script_tunes_alone(run: Run, capsys: Output) -> None:
    own = 'PowerTrainCallback(device="simulated:agx-xavier", verbose=False)'
    main = run(TRAINER + f"tuned = fit([{own}], 60)")
    assert main.tuned == ["PowerTrainCallback"]
    assert lines(capsys) == []


def test_the_callback_for_ultralytics_tunes_alone(run: Run, capsys: Output, tmp_path: Path) -> None:
    frameworks = str(Path(__file__).parent.parent / "frameworks")  # There is the stand-in for the package.
    script = f"""
import sys
from pathlib import Path
sys.path.append({frameworks!r})
from yolo import Model
from lightning_powertrain.ultralytics import powertrain
model = Model(Path({str(tmp_path)!r}))
tuning = powertrain(model, device="simulated:agx-xavier", verbose=False)
model.train(epochs=2)
"""
    main = run(script)
    assert main.tuning.status.word == "closed"
    assert lines(capsys) == []


def test_the_callback_of_a_trainer_gets_the_options() -> None:
    options = RunOptions("30 W", "simulated:orin-agx-64gb", max_modes=7, hard_limit=True, max_share=0.2)
    (callback,) = callbacks({FOR_TRAINERS: options.for_trainers(), "POWERTRAIN_BUDGET": "5 W"})
    config = callback._tuner._factory.config
    assert (str(config.budget), config.max_modes, config.hard_limit, config.max_share) == ("30 W", 7, True, 0.2)


def test_other_ranks_of_a_node_do_not_tune(run: Run, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    run(TRAIN + "train(60)")
    assert lines(capsys) == []
    assert FOR_TRAINERS in os.environ


def test_training_after_a_learning_rate_finder_is_tuned_anew(run: Run, capsys: Output) -> None:
    run(TRAIN + "train(80)\ntrain(700)")
    said = lines(capsys)
    assert sum(BEGINS in line for line in said) == 2
    assert STAYS in said[-1]


@pytest.mark.parametrize("epoch", [10, 60])
def test_a_new_optimizer_in_each_epoch_is_the_same_job(run: Run, capsys: Output, epoch: int) -> None:
    script = f"""
import torch
layer = torch.nn.Linear(2, 1)
for _ in range(720 // {epoch}):
    optimizer = torch.optim.AdamW(layer.parameters())
    for _ in range({epoch}):
        optimizer.zero_grad()
        layer(torch.ones(4, 2)).square().mean().backward()
        optimizer.step()
"""
    run(script)
    said = lines(capsys)
    assert sum(BEGINS in line for line in said) == 1
    assert STAYS in said[-1]


# What is measured.


PROGRAM = Program("train.py")


class Optimizer:
    """Stands for one of torch's."""


class Recorder:
    """Stands for a tuner."""

    phase = "locked"

    def __init__(self) -> None:
        self.device = SimpleNamespace(clock=VirtualClock())
        self.started: dict[str, Any] = {}
        self.calls: list[str] = []

    def start(self, **about: Any) -> None:
        self.started = about

    def __getattr__(self, name: str) -> Callable[[], None]:
        return lambda: self.calls.append(name)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(ScriptTuning, "_new_tuner", lambda self, store: made)
    monkeypatch.setattr(ScriptTuning, "_warm_start", lambda *given: None)
    return made


def test_an_evaluation_between_two_minibatches_interrupts(recorder: Recorder) -> None:
    tuning, optimizer = ScriptTuning(RunOptions(minibatches=1000), PROGRAM), Optimizer()
    for _ in range(20):
        tuning._stepped(optimizer)
    assert recorder.started["minibatches"] == 980
    for _ in range(3):
        for _ in range(20):
            recorder.device.clock.advance(0.1)
            tuning._stepped(optimizer)
        recorder.device.clock.advance(3.0)
    tuning.stop(is_complete=True)
    epoch = ["minibatch_ended"] * 20
    assert recorder.calls == [*epoch, "interrupt", *epoch, "interrupt", *epoch, "stop"]


def test_the_time_limit_of_a_job_reaches_the_tuner(recorder: Recorder) -> None:
    tuning, optimizer = ScriptTuning(RunOptions(minutes=1.5), PROGRAM), Optimizer()
    for _ in range(21):
        tuning._stepped(optimizer)
    assert (recorder.started["minibatches"], recorder.started["seconds"]) == (None, 90.0)
    tuning.stop(is_complete=True)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Of Python 3.12, where there are threads.
def test_a_forked_process_leaves_the_board_to_its_parent(recorder: Recorder) -> None:
    tuning, optimizer = ScriptTuning(RunOptions(), PROGRAM), Optimizer()
    tuning.start()
    for _ in range(25):
        tuning._stepped(optimizer)
    child = os.fork()
    if child == 0:
        recorder.calls.clear()
        tuning.stop(is_complete=True)
        os._exit(len(recorder.calls))
    _, status = os.waitpid(child, 0)
    assert status == 0
    tuning.stop(is_complete=True)
    assert recorder.calls[-1] == "stop"


def test_what_the_tuner_computes_is_no_part_of_a_minibatch(recorder: Recorder) -> None:
    tuning, optimizer = ScriptTuning(RunOptions(), PROGRAM), Optimizer()
    clock = recorder.device.clock
    recorder.minibatch_ended = lambda: clock.advance(2.0)  # type: ignore[attr-defined]
    for _ in range(50):
        clock.advance(0.1)
        tuning._stepped(optimizer)
    assert recorder.calls == []
    tuning.stop(is_complete=True)


def test_an_error_of_ours_ends_tuning_and_not_the_script(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: object, store: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(ScriptTuning, "_new_tuner", fail)
    assert run(TRAIN + "train(60)\nended = True").ended
    assert "power-mode tuning has stopped (ValueError('a mistake of ours'))" in caplog.text
    assert claims._aside == []


def test_the_wait_for_data_is_seen_in_the_thread_that_trains(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_powertrain.running.script_tuning.loader_workers", lambda: (3, 6))
    tuning, optimizer = ScriptTuning(RunOptions(), PROGRAM), Optimizer()
    loader = DataLoader([1.0, 2.0])  # type: ignore[arg-type, var-annotated]
    for _ in range(21):
        tuning._stepped(optimizer)
    assert (recorder.started["workers"], recorder.started["prefetched"]) == (3, 6)
    list(loader)
    other = threading.Thread(target=list, args=(loader,))
    other.start()
    other.join()
    tuning.stop(is_complete=True)
    list(loader)
    assert recorder.calls == ["minibatch_ended", "minibatch_started", "minibatch_started", "stop"]


def test_torch_is_not_imported_before_the_script_does(tmp_path: Path) -> None:
    code = "import sys\nassert 'torch' not in sys.modules\n"
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "lightning_powertrain.run", "--budget", "30 W", "script.py"]
    assert subprocess.run(command, check=False, cwd=tmp_path).returncode == 0
