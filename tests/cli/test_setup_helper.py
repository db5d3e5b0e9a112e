"""``powertrain setup-helper``, with other folders in the place of the system's."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.devices import helper_setup, helper_ways
from lightning_powertrain.devices.helper_setup import Installation, service
from lightning_powertrain.devices.helper_setup.installation import sources
from lightning_powertrain.devices.helper_setup.root_only import check_only_root_writes, check_tree
from lightning_powertrain.devices.helper_setup.system_python import system_python
from lightning_powertrain.devices.helper_ways import installed_ways
from lightning_powertrain.errors import DeviceError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root")
needs_visudo = pytest.mark.skipif(
    shutil.which("visudo", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None, reason="visudo is missing (sudo)"
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where the helper and the rule go, on a computer without systemd."""
    folder, sudoers = tmp_path / "libexec/lightning-powertrain", tmp_path / "sudoers.d/lightning-powertrain"
    units = tmp_path / "systemd"
    monkeypatch.setattr(service, "BOOTED", tmp_path / "booted")
    defaults = helper_setup.Installation.__init__.__defaults__
    assert defaults is not None
    monkeypatch.setattr(helper_setup.Installation.__init__, "__defaults__", (*defaults[:2], folder, sudoers, units))
    monkeypatch.setattr(helper_setup.remove, "__defaults__", (folder, sudoers, units))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return folder, sudoers


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["setup-helper", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_print_shows_every_file_and_the_rule_and_does_nothing(places: tuple[Path, Path]) -> None:
    folder, sudoers = places
    text = run("--print", "--user", "nobody")
    for source in ("knobs.py", "discovery.py", "switching.py", "snapshot.py", "server.py", "__main__.py"):
        assert f"roothelper/{source}" in text
    assert f'nobody ALL=(root) NOPASSWD: {folder}/powertrain-helper ""\n' in text
    assert f"#!{system_python()} -ISB\n" in text
    assert str(sudoers) in text
    assert not folder.exists()
    assert not sudoers.exists()


@needs_root
@needs_visudo
def test_install_and_remove(places: tuple[Path, Path]) -> None:
    folder, sudoers = places
    for _ in range(2):
        assert run("--user", "nobody").startswith("nobody may now set power modes.")
    assert sudoers.read_text().splitlines()[1:] == [f'nobody ALL=(root) NOPASSWD: {folder}/powertrain-helper ""']
    assert sudoers.stat().st_mode & 0o777 == 0o440
    assert [path.name for path in sudoers.parent.iterdir()] == [sudoers.name]
    files = sorted(path.name for path in (folder / "roothelper").iterdir())
    assert files == sorted(["INSTALLED", *(source.name for source in sources())])
    for path in (folder, *folder.rglob("*")):
        assert path.stat().st_uid == 0
        assert path.stat().st_mode & 0o022 == 0
    assert run("--remove") == "The root helper is removed.\n"
    assert not folder.exists()
    assert not sudoers.exists()
    assert run("--remove") == "There is no root helper installed.\n"


@needs_root
@needs_visudo
def test_the_installed_copy_works_on_the_system_python_and_takes_no_root(places: tuple[Path, Path]) -> None:
    folder, _ = places
    run("--user", "nobody")
    command = [str(folder / "powertrain-helper")]
    done = subprocess.run(
        [*command, "--root", "/"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"] == "this helper takes no arguments"
    (folder / "roothelper/INSTALLED").unlink()  # now it is a copy like any other
    tree = folder.parent / "tree"
    tree.mkdir()
    command = [str(system_python()), "-ISB", str(folder / "roothelper")]
    done = subprocess.run(
        [*command, "--root", str(tree)], input='{"do": "status"}\n', capture_output=True, text=True, check=True
    )
    assert (json.loads(done.stdout)["ok"], done.stderr) == (True, "")


@needs_root
@needs_visudo
def test_a_client_finds_the_ways_that_were_made(places: tuple[Path, Path]) -> None:
    folder, _ = places
    assert installed_ways(folder) == []
    run("--user", "nobody")
    assert installed_ways(folder) == ["sudo"]


@needs_root
@needs_visudo
def test_a_rule_that_visudo_refuses_is_not_put_in_place(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sudoers = places
    monkeypatch.setattr(Installation, "rule", lambda self: "nobody ALL=(root NOPASSWD: x\n")
    assert "visudo refuses the sudoers rule" in run("--user", "nobody", exit_code=1)
    assert list(sudoers.parent.iterdir()) == []
    assert not folder.exists()


@needs_root
def test_a_place_that_others_can_write_is_refused(places: tuple[Path, Path]) -> None:
    folder, _ = places
    folder.parent.mkdir()
    folder.parent.chmod(0o777)
    assert f"{folder.parent} can be changed by other users than root" in run("--user", "nobody", exit_code=1)
    assert not folder.exists()


def test_only_folders_of_root_are_safe(tmp_path: Path) -> None:
    check_only_root_writes(Path("/usr/bin"))
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(DeviceError, match=r"can be changed by other users than root, .* `sudo chown root .*/open && "):
        check_only_root_writes(tmp_path / "open")


@needs_root
def test_every_link_on_the_way_counts(tmp_path: Path) -> None:
    """A chain of two links to a file of root; the middle one lies where somebody else can swap it."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/python3").symlink_to("/usr/bin/python3")
    (tmp_path / "python3").symlink_to("theirs/../theirs/python3")
    check_only_root_writes(tmp_path / "python3")
    os.chown(tmp_path / "theirs/python3", 65534, 65534, follow_symlinks=False)
    with pytest.raises(DeviceError, match=r"theirs/python3 can be changed by other users"):
        check_only_root_writes(tmp_path / "python3")
    os.chown(tmp_path / "theirs/python3", 0, 0, follow_symlinks=False)
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(DeviceError, match=r"theirs can be changed by other users"):
        check_only_root_writes(tmp_path / "python3")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(DeviceError, match="loop of symbolic links"):
        check_only_root_writes(tmp_path / "circle")


@needs_root
def test_every_file_of_the_standard_library_counts(tmp_path: Path) -> None:
    (tmp_path / "encodings").mkdir()
    (tmp_path / "dist-packages").mkdir(mode=0o777)
    module = tmp_path / "encodings/utf_8.py"
    module.touch(mode=0o644)
    check_tree(tmp_path)
    module.chmod(0o664)
    with pytest.raises(DeviceError, match=r"encodings/utf_8\.py can be changed by other users"):
        check_tree(tmp_path)
    module.unlink()
    module.symlink_to(tmp_path / "dist-packages/other.py")
    (tmp_path / "dist-packages").chmod(0o777)
    with pytest.raises(DeviceError, match=r"dist-packages can be changed by other users"):
        check_tree(tmp_path)


@needs_root
@needs_visudo
def test_another_user_is_added(places: tuple[Path, Path]) -> None:
    _, sudoers = places
    for user in ("nobody", "daemon", "nobody"):
        run("--user", user)
    assert [line.split()[0] for line in sudoers.read_text().splitlines()[1:]] == ["daemon", "nobody"]
    sudoers.write_text(sudoers.read_text().replace("daemon", "somebody-who-left"))
    run("--user", "nobody")
    assert "somebody-who-left" not in sudoers.read_text()


@needs_root
@needs_visudo
def test_a_strict_umask_does_not_hide_the_copy(places: tuple[Path, Path]) -> None:
    folder, _ = places
    before = os.umask(0o077)
    try:
        run("--user", "nobody")
    finally:
        os.umask(before)
    modes = {path.relative_to(folder): path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    executable = {Path(), Path("roothelper"), Path("powertrain-helper")}
    assert modes == {path: 0o755 if path in executable else 0o644 for path in modes}


@pytest.mark.parametrize("user", ["root", "nobody-of-this-name", "x y", "ALL", "%sudo", "#0", ""])
def test_a_user_that_is_none_is_a_wrong_call(places: tuple[Path, Path], user: str) -> None:
    message = run("--print", f"--user={user}", exit_code=2)
    assert "--user=" in message
    assert message.count("\n") == 1


def test_the_user_is_the_one_who_called_sudo(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "nobody")
    assert "nobody ALL=(root)" in run("--print")


def test_without_root_it_names_the_command(monkeypatch: pytest.MonkeyPatch, places: tuple[Path, Path]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    for arguments in ([], ["--remove"]):
        command = " ".join(["powertrain setup-helper", *arguments])
        assert f"{command}`. --print shows what it would do" in run(*arguments, exit_code=1)


def test_the_command_to_type_names_the_script_of_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert helper_ways.powertrain_command("restore") == "sudo powertrain restore"
    (tmp_path / "powertrain").touch()
    assert helper_ways.powertrain_command("restore") == f"sudo {tmp_path}/powertrain restore"
