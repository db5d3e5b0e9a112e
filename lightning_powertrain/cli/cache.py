"""``powertrain cache list|clear``: the profiles that are kept for later jobs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Optional

import typer
from rich.console import Console
from rich.table import Table
from typing_extensions import Annotated

from lightning_powertrain.cli.app import App
from lightning_powertrain.errors import PowerTrainError

if TYPE_CHECKING:
    from lightning_powertrain.profiling import Entry, ProfileCache

app = App(help="Profiles that are kept for later jobs.", no_args_is_help=True)

_DAY_S = 86400.0
_OFF = "The cache is off: the environment variable POWERTRAIN_CACHE says so."


@app.command("list")
def list_entries(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that must be equal for a hit.")] = False,
) -> None:
    """List the profiles, the newest first."""
    cache = _cache()
    entries = _entries(cache)
    if as_json:
        folder = str(cache.folder) if cache.folder else None
        typer.echo(json.dumps({"folder": folder, "entries": [_record(entry) for entry in entries]}, indent=2))
    elif cache.folder is None:
        typer.echo(_OFF)
    elif not entries:
        typer.echo(f"There are no profiles in {cache.folder}.")
    else:
        _print(entries)
        typer.echo(f"In {cache.folder}.")


@app.command("clear")
def clear(
    board: Annotated[Optional[str], typer.Option(help="Only profiles of this board, such as orin-agx-64gb.")] = None,
    older_than: Annotated[float, typer.Option(min=0, metavar="DAYS", help="Only profiles older than that.")] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove profiles: all of them, damaged ones included, or those that the options name."""
    cache = _cache()
    before_s = time.time() - older_than * _DAY_S
    entries = [
        entry
        for entry in _entries(cache)
        if (board is None or board == _board(entry)) and (not older_than or entry.saved_s < before_s)
    ]
    if not entries:
        typer.echo(_OFF if cache.folder is None else f"There is nothing to remove in {cache.folder}.")
        return
    if not yes:
        typer.confirm(f"Remove {_count(entries)} from {cache.folder}?", abort=True)
    for entry in entries:
        try:
            cache.remove(entry)
        except OSError as error:
            raise PowerTrainError(f"{entry.folder} could not be removed: {error}") from error
    typer.echo(f"Removed {_count(entries)} from {cache.folder}.")


def _cache() -> ProfileCache:
    from lightning_powertrain.profiling import ProfileCache

    return ProfileCache()


def _entries(cache: ProfileCache) -> tuple[Entry, ...]:
    try:
        return cache.entries()
    except OSError as error:
        raise PowerTrainError(f"the cache in {cache.folder} cannot be read: {error}") from error


def _count(entries: list[Entry]) -> str:
    return f"{len(entries)} profile{'s' * (len(entries) != 1)}"


def _board(entry: Entry) -> str | None:
    return None if entry.profile is None else entry.profile.provenance.board


def _record(entry: Entry) -> dict[str, Any]:
    """All that is known of an entry; of one that cannot be read, no more than where it lies."""
    record: dict[str, Any] = {
        "name": entry.folder.name,
        "saved": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.saved_s)),
        "size_bytes": entry.size_bytes,
        "readable": entry.profile is not None,
    }
    if entry.profile is not None and entry.key is not None:
        about = entry.profile.provenance
        record.update(workload=about.workload, board=about.board, simulated=about.simulated, modes=len(entry.profile))
        record["key"] = {"workload": _parsed(entry.key.workload), "board": _parsed(entry.key.board)}
    return record


def _parsed(fingerprint: str) -> Any:
    """What a fingerprint says; the bare text of one that is not ours."""
    try:
        return json.loads(fingerprint)
    except ValueError:
        return fingerprint


def _print(entries: tuple[Entry, ...]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Workload", "Board", "Origin"):
        table.add_column(heading, overflow="fold")
    for heading in ("Modes", "Age", "Size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(*_what(entry), _age(time.time() - entry.saved_s), f"{entry.size_bytes / 1e3:.0f} kB")
    Console(highlight=False, markup=False).print(table)


def _what(entry: Entry) -> tuple[str, str, str, str]:
    if entry.profile is None:
        return "cannot be read", "-", "-", "-"
    about = entry.profile.provenance
    return about.workload, about.board, "SIMULATED" if about.simulated else "measured", str(len(entry.profile))


def _age(seconds: float) -> str:
    """An age in its largest unit; nothing is younger than new, whatever the clock says.

    >>> _age(-5), _age(200), _age(5e4), _age(3e5)
    ('0 min', '3 min', '13 h', '3 days')
    """
    minutes = int(max(0.0, seconds) // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 1440 else f"{minutes // 1440} days"
