"""``powertrain doctor``: what works here, and the exact command that mends what does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from typing_extensions import Annotated

if TYPE_CHECKING:
    from lightning_powertrain.devices.findings import Finding

_STYLES = {"ok": "green", "note": "cyan", "warn": "yellow", "fail": "bold red"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False) -> None:
    """Check whether a job can be tuned on this machine; exits 1 if it cannot.

    Changes nothing, but restores what a killed job left behind.
    """
    from lightning_powertrain.devices import diagnosis, inspection

    findings = diagnosis.diagnose(inspection.inspect())
    works = diagnosis.tuning_works(findings)
    if as_json:
        typer.echo(json.dumps({"tuning_works": works, "findings": [asdict(each) for each in findings]}, indent=2))
    else:
        _print(findings, works)
    if not works:
        raise typer.Exit(1)


def _print(findings: Sequence[Finding], works: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for finding in findings:
        table.add_row(Text(finding.status, _STYLES[finding.status]), finding.check, Text(finding.text))
    console.print(table)
    for fix, checks in _fixes(findings).items():
        console.print(f"\n{', '.join(checks)}:", markup=False)
        # Unbroken, so that it can be copied.
        console.print(f"  {fix}", style="bold", markup=False, soft_wrap=True)
    console.print()
    console.print("Tuning works here." if works else "Tuning cannot work here.", style="bold")


def _fixes(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """Which checks each command mends."""
    fixes: dict[str, list[str]] = {}
    for finding in findings:
        if finding.fix:
            fixes.setdefault(finding.fix, []).append(finding.check)
    return fixes
