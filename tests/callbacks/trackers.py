"""Experiment loggers as users have them, offline, and what they have kept."""

from __future__ import annotations

import csv
import json
import struct
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Dict, List, Tuple
from urllib.parse import urlsplit

import pytest
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

Series = Dict[str, List[Tuple[int, float]]]
"""Steps and values of each scalar, in the order in which they were logged."""


class Tracker(ABC):
    """A logger in a folder, and a reader of what it has kept there."""

    logger: Any

    @abstractmethod
    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None: ...

    @abstractmethod
    def scalars(self) -> Series:
        """What was kept; nothing is logged afterwards."""

    def close(self) -> None:
        self.logger.finalize("success")


class Memory(Logger):
    """Keeps what it receives, and nothing else."""

    name, version = "memory", 0

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[dict[str, float]] = []

    def log_hyperparams(self, params: Any, *details: Any, **more: Any) -> None:
        pass

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._rows.append({**metrics, "step": float(step or 0)})

    def scalars(self) -> Series:
        return _series(self._rows, "step")


class Csv(Tracker):
    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.logger = CSVLogger(folder)

    def scalars(self) -> Series:
        self.logger.save()
        with (Path(self.logger.log_dir) / "metrics.csv").open(encoding="utf-8") as file:
            rows = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
        return _series(rows, "step")


class TensorBoard(Tracker):
    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.logger = TensorBoardLogger(folder)

    def scalars(self) -> Series:
        self.logger.experiment.flush()
        found = EventAccumulator(self.logger.log_dir, size_guidance={"scalars": 0}).Reload()
        return {name: [(event.step, event.value) for event in found.Scalars(name)] for name in found.Tags()["scalars"]}


class MLflow(Tracker):
    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        # Newer versions want a database, and packages for it.
        environment.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        environment.setenv("MLFLOW_TRACKING_URI", "")  # The logger sets it: so it is restored.
        self._mlflow = pytest.importorskip("mlflow", reason="needs mlflow-skinny")
        self.logger = MLFlowLogger(tracking_uri=f"file:{folder / 'mlruns'}")

    @property
    def artifacts(self) -> Path:
        return Path(urlsplit(self.logger.experiment.get_run(self.logger.run_id).info.artifact_uri).path)

    def scalars(self) -> Series:
        client, run = self.logger.experiment, self.logger.run_id
        names = client.get_run(run).data.metrics
        return {name: [(each.step, each.value) for each in client.get_metric_history(run, name)] for name in names}

    def close(self) -> None:
        super().close()
        self._mlflow.set_tracking_uri(None)


class Wandb(Tracker):
    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        quiet = {"MODE": "offline", "SILENT": "true", "CONSOLE": "off", "ERROR_REPORTING": "false"}
        quiet.update(DISABLE_GIT="true", DISABLE_CODE="true", X_DISABLE_STATS="true", X_DISABLE_MACHINE_INFO="true")
        for name, value in quiet.items():
            environment.setenv(f"WANDB_{name}", value)
        for name in ("CACHE", "CONFIG", "DATA"):
            environment.setenv(f"WANDB_{name}_DIR", str(folder / name))
        self._wandb = pytest.importorskip("wandb", reason="needs wandb")
        self._folder = folder
        self.logger = WandbLogger(save_dir=folder, offline=True)

    @property
    def files(self) -> Path:
        (found,) = self._folder.glob("wandb/offline-run-*/files")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The history as it was logged."""
        from wandb.proto.wandb_internal_pb2 import Record

        self.close()  # A run that has finished may still be on its way to the disk; a service that has ended is not.
        (path,) = self.files.parent.glob("*.wandb")
        history = (Record.FromString(each).history.item for each in _wandb_records(path.read_bytes()))
        return [_nested(items) for items in history if items]

    def scalars(self) -> Series:
        numbers = [
            {name: value for name, value in row.items() if isinstance(value, (float, int))} for row in self.rows()
        ]
        found = _series(numbers, "trainer/global_step")
        return {name: values for name, values in found.items() if not name.startswith("_")}

    def close(self) -> None:
        self._wandb.finish()
        self._wandb.teardown()


def _series(rows: Iterable[Mapping[str, float]], step: str) -> Series:
    found: Series = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if name != step:
                found[name].append((int(row[step]), float(value)))
    return dict(found)


def _nested(items: Iterable[Any]) -> dict[str, Any]:
    """One row: numbers, and the facts about each table or image under its name."""
    row: dict[str, Any] = {}
    for item in items:
        *names, last = item.nested_key
        place = row
        for name in names:
            place = place.setdefault(name, {})
        place[last] = json.loads(item.value_json)
    return row


def _wandb_records(content: bytes) -> Iterator[bytes]:
    """Records of a log in the format of LevelDB, whose header has 7 bytes; no checksum is looked at."""
    at, record = 7, b""
    while at < len(content):
        if 32768 - at % 32768 < 7:  # Too little is left of this block for another header.
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # All of a record, or its last part.
            yield record
            record = b""
