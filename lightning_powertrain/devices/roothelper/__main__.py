"""``python3 -ISB FOLDER``: serve one client over standard input and output."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType


def _find_only_the_helper(folder: Path) -> None:
    """Let the helper's modules import one another by their full names, and nothing else of the library be imported."""
    for name, path in (("lightning_powertrain", []), ("lightning_powertrain.devices", [str(folder.parent)])):
        package = ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package
    sys.path = [entry for entry in sys.path if Path(entry).resolve() != folder]


_find_only_the_helper(Path(__file__).resolve().parent)

from lightning_powertrain.devices.roothelper.server import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
