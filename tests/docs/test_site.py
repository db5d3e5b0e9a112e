"""The site as it is built: complete, and without a request to anybody else's server."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pages import ROOT

pytest.importorskip("mkdocstrings", reason="the site needs the extra docs")


class Page(HTMLParser):
    """Keeps what the browser would load, and the text outside of code."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("code", "script", "style"):
            self.open.append(tag)
        name = {"link": "href", "script": "src", "img": "src", "iframe": "src"}.get(tag)
        self.loaded += [value for key, value in attrs if key == name and value]

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, capture_output=True, text=True, cwd=ROOT, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        for url in Page(path).loaded:
            if url.startswith("data:"):
                continue
            assert "//" not in url, f"{path.name} loads {url}"
            assert path.name == "404.html" or (path.parent / url.partition("?")[0]).exists(), f"{path.name}: no {url}"


@pytest.mark.parametrize("raw", [":class:", ":meth:", "::"])
def test_docstrings_are_turned_into_html(site: Path, raw: str) -> None:
    for path in (site / "api").glob("*.html"):
        assert raw not in "".join(Page(path).words), path.name
        assert "<blockquote>" not in path.read_text(encoding="utf-8"), "a doctest is taken for a quotation"


def test_all_commands_and_examples_are_on_the_site(site: Path) -> None:
    command = (site / "command.html").read_text(encoding="utf-8")
    assert "powertrain reference fit" in command
    assert "--older-than" in command
    examples = (site / "examples.html").read_text(encoding="utf-8")
    for script in (ROOT / "examples").rglob("*.py"):
        assert script.relative_to(ROOT / "examples").as_posix() in examples


def test_pages_from_elsewhere_have_their_links_changed(site: Path) -> None:
    assert 'href="releasing.html"' in (site / "contributing.html").read_text(encoding="utf-8")
    assert 'href="examples.html"' in (site / "faq.html").read_text(encoding="utf-8")
