"""The citation file: of this version, and it names the paper. Against its schema `cffconvert --validate` checks it."""

from __future__ import annotations

from pathlib import Path

import tomli
import yaml

ROOT = Path(__file__).parent.parent


def test_it_cites_this_version_and_names_the_paper() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cited["title"], cited["version"]) == (project["name"], project["version"])
    assert cited["license"] == "Apache-2.0"
    assert "License :: OSI Approved :: Apache Software License" in project["classifiers"]
    assert cited["abstract"] == project["description"]
    (paper,) = cited["references"]
    assert paper["title"].startswith("PowerTrain: ")
    assert paper["url"] == "https://arxiv.org/abs/2407.13944"
    assert [author["family-names"] for author in paper["authors"]] == ["S. K.", "Taluri", "S", "Karwa", "Simmhan"]
