"""``powertrain capture``: what a board shows, as one archive that can be attached to a report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Mapping

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError, DeviceError
from lightning_powertrain.terminal import print_line

_ROOT = Path("/")
_DEPTH = 4


def capture(
    file: Annotated[Path, typer.Argument(help="Archive to write, such as my-board.tar.gz; it must not exist.")],
) -> None:
    """Write what this board shows into an archive, for a report of trouble.

    Reads only what the library reads itself, sets nothing, asks for nothing, and needs no root. Serial numbers, names,
    MAC addresses and the like are taken out.
    """
    from lightning_powertrain.devices import capture as captures

    if file.exists():
        raise ArgumentError.of("FILE", str(file), "a file that does not exist yet")
    taken = captures.capture(_ROOT)
    try:
        captures.write_archive(taken, file)
    except OSError as error:
        raise DeviceError(f"{file} could not be written: {error.strerror}") from error
    _list(taken.files, taken.about["unread"])
    print_line(
        f"\nWritten to {file}. `tar -xzOf {file} | less` shows all of it: have a look before you send it to somebody."
    )


def _list(files: Mapping[str, bytes], unread: Mapping[str, str]) -> None:
    """What was taken, folder by folder, and what was not."""
    print_line("Taken, besides what doctor finds:")
    folders = Counter("/".join(path.split("/")[:-1][:_DEPTH]) for path in files if path not in unread)
    for folder, count in sorted(folders.items()):
        print_line(f"  /{folder}: {count} file{'s' * (count != 1)}")
    if unread:
        print_line("Not readable for this user:")
        for path, reason in sorted(unread.items()):
            print_line(f"  /{path}: {reason}")
