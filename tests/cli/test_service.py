"""The service that ``setup-helper`` installs: its units, and who may connect, with systemd's own tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sudo_machine import USERS, Machine, machine, why_unavailable

from lightning_powertrain.devices.helper_setup.service import UNITS, Service
from lightning_powertrain.devices.helper_ways import GROUP, INSTALL_FOLDER, LAUNCHER, SOCKET, UNIT

ALICE, BOB, MALLORY = USERS
MOST_EXPOSED = 2.0
LOG = "/run/systemctl.log"
ASK = """
import socket, sys
end = socket.socket(socket.AF_UNIX)
end.connect(sys.argv[1])
end.sendall(b'{"do": "status"}\\n')
print(end.makefile().readline(), end="")
"""


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} is missing (apt-get install systemd)")


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units as files, with a launcher that exists here."""
    files = Service(Path("/bin/true"), tmp_path).files()
    for path, text in files.items():
        path.write_text(text)
    return [str(path) for path in files]


@needs("systemd-analyze")
def test_systemd_understands_every_line(units: list[str]) -> None:
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if UNIT in line]
    assert ours == []


@needs("systemd-analyze")
def test_its_exposure_is_as_low_as_the_docs_say(units: list[str]) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", units[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file (systemd 250 can)")
    found = re.search(r"Overall exposure level .*: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED
    documented = re.search(
        r"systemd-analyze security.*? ([0-9.]+) of 10", Path("docs/safety.md").read_text(), re.DOTALL
    )
    assert documented is not None
    assert float(documented[1]) >= float(found[1])


@pytest.fixture(scope="module")
def booted() -> Iterator[Machine]:
    """A machine that systemd seems to run: its systemctl only notes what it is asked."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with machine() as (found, is_private):
        if not is_private:
            pytest.skip("needs mounts of its own: a systemctl that does nothing takes the place of the real one")
        stub = f'#!/bin/sh\\necho "$@" >> {LOG}\\n'
        done = found.shell(
            f"mkdir -p /run/systemd/system && printf '{stub}' > /usr/sbin/systemctl && chmod 755 /usr/sbin/systemctl"
        )
        assert done.returncode == 0, done.stderr
        for user in (ALICE, BOB):
            done = found.setup_helper("--user", user, before="umask 077")
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(
                f"{user} is now in the group {GROUP} and may set power modes from the next login"
            )
        yield found


@contextmanager
def listening(found: Machine) -> Iterator[Path]:
    """What the socket unit does, by a tool of systemd that needs no systemd; gives the file of the journal."""
    journal = Path(f"/tmp/powertrain-journal-{time.monotonic_ns()}")
    serve = f"systemd-socket-activate --accept --inetd -l {SOCKET} {INSTALL_FOLDER / LAUNCHER}"
    script = f"mkdir -p {SOCKET.parent}; exec {serve}"
    with journal.open("wb") as errors:
        listener = subprocess.Popen(found.command("bash", "-c", script), stderr=errors, stdin=subprocess.DEVNULL)
    try:
        ready = found.shell(
            f"for each in $(seq 100); do test -S {SOCKET} && break; sleep 0.1; done; "
            f"chgrp {GROUP} {SOCKET} && chmod 660 {SOCKET}"
        )
        assert ready.returncode == 0, journal.read_text()
        yield journal
    finally:
        listener.terminate()
        listener.wait()
        found.run("rm", "-f", str(SOCKET))
        journal.unlink()


def ask(found: Machine, user: str, path: Path = SOCKET, before: str = "") -> subprocess.CompletedProcess[str]:
    return found.shell(f'{before}\nexec /usr/bin/python3 -ISc "$1" {path}', ASK, user=user)


@needs("systemd-socket-activate")
def test_members_of_the_group_may_connect_and_nobody_else(booted: Machine) -> None:
    with listening(booted) as journal:
        for user in (ALICE, BOB, "root"):
            assert json.loads(ask(booted, user).stdout)["ok"] is True
        refused = ask(booted, MALLORY)
        assert (refused.stdout, "PermissionError" in refused.stderr) == ("", True)
        numbers = [booted.run("id", "-u", user).stdout.strip() for user in (ALICE, BOB, "root")]
        for number in numbers:
            assert f"connection of user {number}, group " in journal.read_text()


@needs("systemd-socket-activate")
def test_a_container_needs_only_the_folder_of_the_socket_read_only(booted: Machine) -> None:
    """Mounts as those of a container that is started with the flag of the docs."""
    with listening(booted):
        script = f"""
mkdir -p /run/container && mount --bind -o ro {SOCKET.parent} /run/container && mount -o remount,bind,ro /run/container
touch /run/container/other 2>/dev/null && echo WRITABLE
exec runuser -u {ALICE} -- /usr/bin/python3 -ISc "$1" /run/container/{SOCKET.name}
"""
        done = booted.run("unshare", "--mount", "bash", "-c", script, "bash", ASK)
        assert json.loads(done.stdout)["ok"] is True, done.stderr


def test_what_is_installed(booted: Machine) -> None:
    listed = booted.shell(f"stat -c '%n %a %U' {UNITS}/{UNIT}* {INSTALL_FOLDER}/{LAUNCHER}").stdout.splitlines()
    assert listed == [
        f"{UNITS}/{UNIT}.socket 644 root",
        f"{UNITS}/{UNIT}@.service 644 root",
        f"{INSTALL_FOLDER}/{LAUNCHER} 755 root",
    ]
    assert booted.shell("cat /etc/sudoers.d/lightning-powertrain").returncode == 1
    assert booted.run("getent", "group", GROUP).stdout.strip().endswith(f":{ALICE},{BOB}")
    wanted = ["daemon-reload", f"enable {UNIT}.socket", f"restart {UNIT}.socket"]
    assert booted.run("cat", LOG).stdout.splitlines()[:3] == wanted


def test_an_earlier_version_s_rule_does_not_survive_it(booted: Machine) -> None:
    """Its user keeps access, by a rule that is safe."""
    rule = f"{MALLORY} ALL=(root) NOPASSWD: /usr/bin/python3 -ISB {INSTALL_FOLDER}/roothelper\n"
    try:
        assert booted.shell("umask 0337; cat > /etc/sudoers.d/lightning-powertrain", text=rule).returncode == 0
        assert booted.setup_helper("--user", ALICE).returncode == 0
        granted = booted.run("sudo", "-n", "-l", user=MALLORY).stdout
        assert "python" not in granted
        assert f'NOPASSWD: {INSTALL_FOLDER}/{LAUNCHER} ""' in granted
        assert booted.run("cat", f"{INSTALL_FOLDER}/roothelper/INSTALLED").stdout.split() == ["service", "sudo"]
    finally:
        booted.run("rm", "-f", "/etc/sudoers.d/lightning-powertrain")


def test_print_shows_units_and_commands_and_does_nothing(booted: Machine) -> None:
    before = booted.run("cat", LOG).stdout
    text = booted.setup_helper("--print", "--user", MALLORY).stdout
    for line in (f"write {UNITS}/{UNIT}.socket:", "  SocketMode=0660", f"  gpasswd --add {MALLORY} {GROUP}"):
        assert f"{line}\n" in text
    assert "sudoers" not in text
    assert "NOPASSWD" in booted.setup_helper("--print", "--sudo", "--user", MALLORY).stdout
    assert booted.run("cat", LOG).stdout == before


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("mount -t tmpfs -o ro tmpfs /etc/systemd/system", "lies on a file system that is read-only, as on overlay"),
        (
            "printf '#!/bin/sh\\necho Failed to connect to bus >&2; exit 1\\n' > /usr/sbin/systemctl",
            "to bus); add --sudo",
        ),
        ("printf '#!/bin/sh\\nexit 1\\n' > /usr/bin/gpasswd", "add --sudo to install a sudoers rule instead"),
    ],
)
def test_a_system_that_cannot_take_it_is_explained_in_one_line(booted: Machine, before: str, says: str) -> None:
    layers = "lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w"
    keep = f"mount -t tmpfs tmpfs /mnt; mkdir /mnt/u /mnt/w; mount -t overlay overlay -o {layers} /usr"
    script = f'{keep} || exit 77; {before}; exec "$@"'
    done = booted.run("unshare", "--mount", "bash", "-c", script, "bash", *booted.setup_command("--user", ALICE))
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_remove_undoes_all_of_it(booted: Machine) -> None:
    """The last test of this machine."""
    announced = booted.setup_helper("--print", "--remove").stdout.splitlines()
    assert announced[:3] == [
        f"run systemctl disable --now {UNIT}.socket",
        f"run systemctl stop {UNIT}@*.service",
        f"run groupdel {GROUP}",
    ]
    assert booted.setup_helper("--remove").stdout == "The root helper is removed.\n"
    assert booted.run("cat", LOG).stdout.splitlines()[-1] == "daemon-reload"
    assert booted.shell(f"ls -d {UNITS}/{UNIT}* {INSTALL_FOLDER}").stdout == ""
    assert booted.run("getent", "group", GROUP).stdout == ""
    assert booted.setup_helper("--remove").stdout == "There is no root helper installed.\n"
