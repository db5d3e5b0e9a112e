"""Boots the emulated boards, once for each kernel and file of scenarios, and hands out what became of each scenario."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

from real_kernel.build import machine
from real_kernel.debian import MissingError
from real_kernel.machine import Run, boot

KERNELS = ("5.10", "6.1")
# What runs on the board is not for this computer.
collect_ignore_glob = ["guest/*"]

Boots = Callable[[str, str], Run]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = bool(os.environ.get("REAL_KERNEL"))
    for item in items:
        if "boots" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.real_kernel)
            if not wanted:
                item.add_marker(pytest.mark.skip(reason="boots emulated boards for minutes: .ci/real-kernel does it"))


@pytest.fixture(scope="session")
def boots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boots]:
    """What ran on a kernel, of a file of scenarios; both kernels run it side by side."""
    runs: dict[tuple[str, str], Future[Run]] = {}

    def booted(kernel: str, scenarios: str) -> Run:
        for each in KERNELS:
            if (each, scenarios) not in runs:
                folder = tmp_path_factory.mktemp(f"{scenarios}-{each}-")
                runs[each, scenarios] = pool.submit(_build_and_boot, each, scenarios, folder)
        try:
            return runs[kernel, scenarios].result()
        except MissingError as error:
            pytest.skip(str(error))

    with ThreadPoolExecutor(2) as pool:
        yield booted


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> None:
    """Boards boot in threads that end with the session, instead of with the test that asked first."""


def _build_and_boot(kernel: str, scenarios: str, folder: Path) -> Run:
    return boot(machine(kernel), [f"{scenarios}.py"], folder)


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> str:
    """The series of the kernel: JetPack 5 behaves as the first, JetPack 6 and 7 as the second."""
    return str(request.param)


def scenarios_in(name: str) -> list[str]:
    """Names of the tests in a file of scenarios."""
    tree = ast.parse((Path(__file__).parent / "guest" / f"{name}.py").read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [function.name for function in functions if function.name.startswith("test_")]


def check(run: Run, scenario: str) -> None:
    """Fails as the scenario failed on the board, in whichever variant; skips if each was skipped there."""
    outcomes = {name: outcome for name, outcome in run.outcomes.items() if name.partition("[")[0] == scenario}
    failed = {name: outcome.text for name, outcome in outcomes.items() if outcome.state == "failed"}
    assert not failed, "\n".join(f"{name} on the board:\n{text}" for name, text in failed.items())
    assert outcomes, f"the scenario did not run on the board:\n{run.output}"
    if all(outcome.state == "skipped" for outcome in outcomes.values()):
        pytest.skip("on the board: " + next(iter(outcomes.values())).text)
