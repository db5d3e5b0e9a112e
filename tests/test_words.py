"""Words that were replaced by the field's own terms, and must not come back in code, messages, tests or docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "callbacks", "containers", "docs", "examples", "lightning_powertrain", "tests")
SUFFIXES = {".py", ".md", ".ipynb", ".toml", ".yml", ".yaml", ".svg", ".css"}

# What was called so before, and what it is called.
NAMES = {
    r"(Adaptive)?Course": "TuningSession",
    "Workbench": "ModeRunner",
    "Scope": "ProfilingBudget",
    "EqualBoards": "BoardGroup",
    "Leader": "Coordinator",
    "Station": "LocalBoard",
    "Programme": "Schedule",
    "Audience": "a list of observers",
    "Restraint": "Backoff",
    r"(Vitals|Power|Health)Sampler|Samplers": "BoardPoller, PowerPoller, HealthPoller, Pollers",
    "informative_rows": "initial_design",
    "prior_time_ms": "reference_time_ms",
    r"\.recall\(|def recall\(|recalled": "warm_start, history",
    "is_trial": "is_verification",
    "in_doubt": "may_exceed_limit",
    "Member": "Worker",
    r"reporting\.saying": "reporting.console",
}

# What no reader finds in a search engine, and what to write. A line may end within a phrase.
PHRASES = {
    r"hungr(y|ier|iest)|thrift(y|ier|iest)|neither slower nor": "more power, less power, at least as fast",
    r"trains? as ever|runs? as ever|job trains on": "training continues unchanged",
    r"let(s|ting)? go of": "close",
    r"put(s|ting)? (\w+ ){0,3}back": "restore",
    r"(is|are|was) told (no more )?of": "receives",
    "feel(s|ing)? its way": "moves in small steps",
    r"promises?|promised": "expected improvement, guarantees, value of the acquisition function",
    r"(?<!max )(?<!per )trials?": "verification",
    "twice is as once": "idempotent",
    "does without the cache": "the profile cache is disabled for this run",
    "nobody wrote down": "added by the environment variable",
    "kernel's manners": "emulates the kernel's sysfs",
    "has the face of": "implements the interface",
    "for whoever asks": "the caller decides",
    "but for those that": "except those that",
}

IS_NAME = [re.compile(rf"\b({name})(?!\w)" if name[0].isalnum() else name) for name in NAMES]
IS_PHRASE = [re.compile(rf"\b({phrase})\b", re.IGNORECASE) for phrase in PHRASES]


def pages() -> Iterator[Path]:
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES)


def retired(text: str) -> list[str]:
    """Retired words and phrases in a text, whatever its line breaks and comment signs; also within longer names."""
    flat = re.sub(r"\s*\n[\s#>*]*", " ", text)
    names = [match[0] for pattern in IS_NAME for match in pattern.finditer(flat)]
    return names + [match[0] for pattern in IS_PHRASE for match in pattern.finditer(flat.replace("_", " "))]


def test_no_retired_word_comes_back() -> None:
    found = {path.relative_to(ROOT).as_posix(): retired(path.read_text(encoding="utf-8")) for path in pages()}
    del found["tests/test_words.py"]
    assert {name: words for name, words in found.items() if words} == {}
    assert len(found) > 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# The board is put\n    # back.", ["put back"]),
        ("Training runs As Ever.", ["runs As Ever"]),
        ("def test_the_board_is_put_back() -> None:", ["put back"]),
        ("class VitalsSampler(Sampler):", ["VitalsSampler"]),
        ("tuner.recall(known)", [".recall("]),
        ("scope, of course: as it ever was", []),
    ],
)
def test_what_is_found(text: str, words: list[str]) -> None:
    assert retired(text) == words
