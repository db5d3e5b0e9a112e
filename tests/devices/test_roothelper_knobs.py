"""What the helper makes of the files of a board."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import CPU_KHZ, EMC_HZ, GPU_HZ, PlainBoard

from lightning_powertrain.devices import roothelper
from lightning_powertrain.devices.roothelper import knobs, reading
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.roothelper.knobs import Range

TX2_NAMES = ("a57_cores", "denver_cores", "a57_khz", "denver_khz")
SOURCES = sorted(Path(roothelper.__file__).parent.glob("*.py"))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> PlainBoard:
    return PlainBoard(tmp_path_factory.mktemp("board"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_helper_runs_on_an_old_python_and_needs_nothing_but_itself(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 8))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    ours = {name for name in imported if name.startswith("lightning_powertrain")}
    assert all(name.startswith("lightning_powertrain.devices.roothelper") for name in ours)
    assert imported - ours <= {
        *(
            "__future__",
            "collections.abc",
            "contextlib",
            "dataclasses",
            "errno",
            "fcntl",
            "json",
            "os",
            "pathlib",
            "re",
        ),
        *("resource", "select", "signal", "socket", "stat", "struct", "sys", "time", "traceback", "types", "typing"),
    }


def test_the_helper_never_names_what_must_not_be_touched() -> None:
    code = "\n".join(source.read_text() for source in SOURCES)
    for forbidden in ("pg_mask", "nvpmodel -", "subprocess", "os.system", "eval(", "exec("):
        assert forbidden not in code


def test_knobs_and_tables_are_those_of_the_board(tmp_path: Path) -> None:
    found = find_knobs(PlainBoard(tmp_path).root)
    assert {name: knob.values for name, knob in found.known().items()} == {
        "cores": (1, 2, 3, 4, 5, 6, 7, 8),
        "cpu_khz": CPU_KHZ,
        "gpu_hz": GPU_HZ,
        "emc_hz": EMC_HZ,
    }
    assert found.read() == {
        "cores": 6,
        "cpu_khz": 1728000,
        "gpu_hz": 522750000,
        "emc_hz": 3199000000,
    }


def test_cpu0_is_never_a_file_to_write(tmp_path: Path) -> None:
    files = find_knobs(PlainBoard(tmp_path).root).files()
    assert tmp_path / "sys/devices/system/cpu/cpu1/online" in files
    assert tmp_path / "sys/devices/system/cpu/cpu0/online" not in files


def test_a_policy_without_an_online_cpu_is_not_there(tmp_path: Path) -> None:
    """As kernels before 5.19 have it: the folder stays, its texts stay or read empty, and every write is refused."""
    root = PlainBoard(tmp_path).root
    for policy in ("policy0", "policy4"):
        folder = root / "sys/devices/system/cpu/cpufreq" / policy
        assert any(folder in path.parents for path in find_knobs(root).files())
        (folder / "affected_cpus").write_text("\n")
        (folder / "scaling_available_frequencies").unlink()
        assert not any(folder in path.parents for path in find_knobs(root).files())
        assert find_knobs(root).hidden_cpus() == (policy == "policy0")
        assert find_knobs(root).known().get("cpu_khz") == (find_knobs(root).clocks[0] if policy == "policy0" else None)
    assert find_knobs(root).clocks[0].values == ()


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert find_knobs(tmp_path).known() == {}
    assert find_knobs(tmp_path).files() == []


PAIR = st.tuples(st.integers(1, 20), st.integers(1, 20)).map(sorted)


@settings(max_examples=200, deadline=None)
@given(PAIR, PAIR)
def test_a_range_is_written_in_an_order_that_never_crosses(board: PlainBoard, old: list[int], new: list[int]) -> None:
    """As an old kernel has it, which refuses a minimum above the maximum."""
    limits = Range(board.root / "low", board.root / "high")
    limits.low.write_text(str(old[0]))
    limits.high.write_text(str(old[1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knobs, "write", lambda path, text: path.write_text(text) and check())

        def check() -> None:
            assert int(limits.low.read_text()) <= int(limits.high.read_text())

        limits.write(str(new[0]), str(new[1]))
    assert [int(limits.low.read_text()), int(limits.high.read_text())] == new


WORD = st.one_of(st.binary(max_size=30), st.text("0123456789-, \n\0kHz", max_size=30).map(str.encode))


@settings(max_examples=150, deadline=None)
@given(st.lists(WORD, min_size=15, max_size=30))
def test_no_text_of_the_kernel_breaks_a_parser(board: PlainBoard, texts: list[bytes]) -> None:
    path = board.root / "file"
    for text in texts:
        path.write_bytes(text)
        number, table, cpus = reading.read_number(path), reading.read_table(path), reading.read_cpus(path)
        assert number is None or int(text.split()[0]) == number
        assert list(table) == sorted(set(table))
        assert all(str(value).encode() in text for value in table)
        assert all(0 <= cpu <= 9999 for cpu in cpus)


FILES = sorted(
    {
        "sys/devices/system/cpu/cpufreq/policy0/affected_cpus",
        "sys/devices/system/cpu/cpufreq/policy0/related_cpus",
        "sys/devices/system/cpu/cpufreq/policy4/scaling_available_frequencies",
        "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq",
        "sys/devices/system/cpu/cpu3/online",
        "sys/devices/17000000.ga10b/devfreq/17000000.ga10b/available_frequencies",
        "sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq",
        "sys/kernel/debug/bpmp/debug/emc/possible_rates",
        "sys/kernel/debug/bpmp/debug/clk/emc/rate",
        "sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    }
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FILES), st.one_of(st.none(), WORD), max_size=4))
def test_a_board_that_talks_nonsense_still_has_a_mode(board: PlainBoard, nonsense: dict[str, bytes | None]) -> None:
    kept = {path: (board.root / path).read_bytes() for path in nonsense}
    try:
        for path, text in nonsense.items():
            if text is None:
                (board.root / path).unlink()
            else:
                (board.root / path).write_bytes(text)
        found = find_knobs(board.root)
        assert set(found.read()) == set(found.known()) <= {"cores", "cpu_khz", "gpu_hz", "emc_hz", *TX2_NAMES}
        assert all(board.root / "sys" in path.parents for path in found.files())
    finally:
        for path, kept_text in kept.items():
            (board.root / path).write_bytes(kept_text)
