"""Hooks of MkDocs: what the site shows, but MkDocs would not find in docs/."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from command_page import command_page

_ROOT = Path(__file__).parents[2]
# The pages that these files become; links to them, and to docs/, are changed to match.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_config(config: MkDocsConfig) -> None:
    """Lay the packages out as they are installed, for mkdocstrings: it reads them without importing anything."""
    package = _ROOT / "build" / "as-installed" / "lightning_powertrain"
    shutil.rmtree(package, ignore_errors=True)
    for source, target in (("lightning_powertrain", package), ("callbacks", package / "callbacks")):
        shutil.copytree(_ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add pages made of files that stand outside docs/, where a code host shows them."""
    pages = {page: _linked(_text(name)) for name, page in _PAGES.items()}
    pages |= {"examples.md": _examples(), "command.md": command_page()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _linked(text: str) -> str:
    for name, page in _PAGES.items():
        text = text.replace(f"]({name}", f"]({page}")
    return text.replace("](docs/", "](")


def _examples() -> str:
    """What examples/README.md says, then the scripts themselves."""
    parts = [_text("examples/README.md")]
    for path in sorted((_ROOT / "examples").rglob("*.py")):
        name = path.relative_to(_ROOT / "examples").as_posix()
        parts.append(f"## {name}\n\n```python\n{path.read_text(encoding='utf-8')}```\n")
    return "\n".join(parts)
