"""A capture as an archive: files under ``board/``, what doctor finds, and lists of what was taken and what was not."""

from __future__ import annotations

import gzip
import io
import json
import os
import platform
import tarfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator

from lightning_powertrain.devices import diagnosis, inspection
from lightning_powertrain.devices.capture.files import read_files
from lightning_powertrain.devices.capture.redaction import Redaction
from lightning_powertrain.devices.findings import Finding
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.nvpmodel import CONF
from lightning_powertrain.errors import DeviceError, FileFormatError

BOARD, DOCTOR, LIST = "board", "doctor.json", "capture.json"
_FORMAT = 1
_MOST_MEMBERS, _MOST_BYTES = 5000, 16 << 20


@dataclass(frozen=True)
class Capture:
    """What a board shows.

    Args:
        files: Contents, by path below the root; empty where a file is there and could not be read.
        folders: Paths of folders that count by their names.
        about: Versions, and lists of what was taken and what could not be read.
        doctor: What ``powertrain doctor --json`` prints, but for the root helper, which is not started.
    """

    files: Dict[str, bytes]
    folders: tuple[str, ...]
    about: Dict[str, Any]
    doctor: Dict[str, Any]


def capture(root: Path = Path("/"), redaction: Redaction | None = None) -> Capture:
    """Read what a board shows. Nothing is set, and nothing needs root: what could not be read is listed.

    Args:
        root: Where the board's file systems are; anything but ``/`` is for tests.
        redaction: Takes out what names the board and its users; None for what this machine knows of them.
    """
    redaction = redaction or Redaction(root)
    found = read_files(root)
    about = {
        "format": _FORMAT,
        "powertrain": version("lightning-powertrain"),
        "kernel": redaction.clean(platform.release()),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "as_root": os.geteuid() == 0,
        "files": sorted(found.texts),
        "unread": found.unread,
    }
    texts = {path: _cleaned(path, content, redaction) for path, content in found.texts.items()}
    return Capture(texts, tuple(found.folders), about, _doctor(root, redaction))


def write_archive(taken: Capture, path: Path) -> None:
    """Write a capture as a ``.tar.gz`` that names no owner of a file.

    Raises:
        FileExistsError: If the file exists.
        OSError: If it cannot be written.
    """
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as archive:
        for name, content in _members(taken):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
        for folder in taken.folders:
            member = tarfile.TarInfo(f"{BOARD}/{folder}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
    with path.open("xb") as target:
        target.write(gzip.compress(unpacked.getvalue()))


def read_archive(path: Path) -> Capture:
    """Read a capture that anybody may have made: no name in it leads outside, and its size is bounded.

    Raises:
        FileFormatError: If it is none.
    """
    files: Dict[str, bytes] = {}
    folders = []
    try:
        with tarfile.open(path, "r:gz") as archive:
            left = _MOST_BYTES
            for count, member in enumerate(archive):
                parts = PurePosixPath(member.name).parts
                left -= member.size
                if count == _MOST_MEMBERS or left < 0 or ".." in parts or member.name.startswith("/"):
                    raise FileFormatError(f"{path} is no capture: {member.name!r} is too large, or leads outside")
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    files[member.name] = content.read()
                elif member.isdir():
                    folders.append(member.name)
        about, doctor = json.loads(files.pop(LIST)), json.loads(files.pop(DOCTOR))
    except (OSError, EOFError, tarfile.TarError, KeyError, ValueError) as error:
        raise FileFormatError(f"{path} is no capture of powertrain: {error!r}") from error
    if about.get("format") != _FORMAT:
        raise FileFormatError(f"{path} is a capture of format {about.get('format')!r}; this version reads {_FORMAT}")
    below = len(BOARD) + 1
    texts = {name[below:]: content for name, content in files.items() if name.startswith(f"{BOARD}/")}
    return Capture(texts, tuple(name[below:] for name in folders if name.startswith(f"{BOARD}/")), about, doctor)


def _members(taken: Capture) -> Iterator[tuple[str, bytes]]:
    yield LIST, json.dumps(taken.about, indent=1).encode()
    yield DOCTOR, json.dumps(taken.doctor, indent=1).encode()
    for path, content in sorted(taken.files.items()):
        yield f"{BOARD}/{path}", content


def _cleaned(path: str, content: bytes, redaction: Redaction) -> bytes:
    text = content.decode("utf-8", "surrogateescape")
    if path == CONF:  # People write in comments what they like, and nothing reads them.
        lines = (line.partition("#")[0].rstrip() for line in text.splitlines())
        text = "".join(f"{line}\n" for line in lines if line)
    return redaction.clean(text).encode("utf-8", "surrogateescape")


def _doctor(root: Path, redaction: Redaction) -> Dict[str, Any]:
    checked = diagnosis.diagnose(inspection.inspect(root, _no_helper))
    findings = [each for each in checked if each.check not in ("root helper", "snapshot")]
    note = "not started: a capture sets nothing, and a start may restore the board"
    findings.append(Finding("root helper", "note", note))
    said = ({name: redaction.clean(text) for name, text in asdict(each).items()} for each in findings)
    return {"findings": list(said)}


def _no_helper() -> HelperClient:
    raise DeviceError("a capture does not start the root helper")
