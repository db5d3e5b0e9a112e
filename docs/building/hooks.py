"""Hooks of MkDocs: what the site shows, but MkDocs would not find in docs/."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from command_page import command_page
from evaluation_tables import evaluation_tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "build" / "as-installed" / "lightning_powertrain"
# The pages that these files become; links to them, and from them to docs/, are changed to match.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "examples/README.md": "examples.md"}


def on_startup(**_: Any) -> None:
    """Make the folder in which mkdocstrings looks for packages: it does so only if there is one when it starts."""
    _PACKAGE.parent.mkdir(parents=True, exist_ok=True)


def on_config(config: MkDocsConfig) -> None:
    """Lay the packages out as they are installed, for mkdocstrings: it reads them without importing anything."""
    shutil.rmtree(_PACKAGE, ignore_errors=True)
    for source, target in (("lightning_powertrain", _PACKAGE), ("callbacks", _PACKAGE / "callbacks")):
        shutil.copytree(_ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))


def on_files(files: Files, *, config: MkDocsConfig) -> None:
    """Add pages made of files that stand outside docs/, where a code host shows them."""
    pages = {page: _text(name) for name, page in _PAGES.items()}
    pages["examples.md"] += _scripts()
    pages["command.md"] = command_page()
    pages["evaluation-tables.md"] = evaluation_tables()
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text.replace("](docs/", "](")))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Have links lead to those pages instead of out of the site."""
    for name, page in _PAGES.items():
        markdown = markdown.replace(f"](../{name}", f"]({page}").replace(f"]({name}", f"]({page}")
    return markdown


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _scripts() -> str:
    """The examples themselves, a section for each."""
    paths = sorted((_ROOT / "examples").rglob("*.py"))
    names = [path.relative_to(_ROOT / "examples").as_posix() for path in paths]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return "".join(f"\n## {name}\n\n```python\n{text}```\n" for name, text in zip(names, texts))
