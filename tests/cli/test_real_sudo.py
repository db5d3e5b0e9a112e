"""The sudoers rule under attack, with real sudo and throwaway users: it starts the helper and nothing else.

Outside CI this runs where mounts of its own keep it away from the rest of the computer, or with POWERTRAIN_TEST_SUDO=1.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest
from sudo_machine import USERS, Machine, machine, why_unavailable

from lightning_powertrain.devices.helper_setup.sudo_rule import SUDOERS
from lightning_powertrain.devices.helper_ways import INSTALL_FOLDER, LAUNCHER

ALICE, BOB, MALLORY = USERS
HELPER = str(INSTALL_FOLDER / LAUNCHER)
OLD = f"/usr/bin/python3 -ISB {INSTALL_FOLDER}/roothelper"
STATUS = '{"do": "status"}\n'
WELCOME = os.environ.get("CI") == "true" or os.environ.get("POWERTRAIN_TEST_SUDO") == "1"

# A folder that looks like the home of a Python, with a standard library of the attacker's, and modules of theirs.
KIT = """
X=$(mktemp -d); chmod 755 "$X"; cd "$X"
V=python$(/usr/bin/python3 -ISc 'import sys; print("%d.%d" % sys.version_info[:2])')
mkdir -p bin "lib/$V/encodings" "lib/$V/lib-dynload" lightning_powertrain
ln -s /usr/bin/python3 bin/python3
ln -s "$HELPER" bin/powertrain-helper
echo "home = $X/bin" | tee bin/pyvenv.cfg > pyvenv.cfg
touch "lib/$V/os.py"
cat > hostile.py <<'END'
import posix
posix.write(1, b"HOSTILE CODE AS %d" % posix.geteuid())
posix._exit(0)
END
for name in runpy json os sys lightning_powertrain/__init__ "lib/$V/encodings/__init__" sitecustomize; do
  cp hostile.py "$name.py"
done
printf '#!/bin/sh\necho HOSTILE CODE AS $(id -u)\n' > hostile.sh; chmod 755 hostile.sh
trap 'cd /; rm -rf "$X"' EXIT
"""
STARTS = {
    "as the rule says": 'sudo -n "$HELPER"',
    "in a folder with modules of the same names": 'cd "$X" && sudo -n "$HELPER"',
    "with Python's variables": 'PYTHONHOME="$X" PYTHONPATH="$X" PYTHONSTARTUP="$X/hostile.py" PYTHONUSERBASE="$X" '
    'PYTHONINSPECT=1 PYTHONEXECUTABLE="$X/bin/python3" __PYVENV_LAUNCHER__="$X/bin/python3" PYTHONPLATLIBDIR="$X/lib" '
    'PYTHONBREAKPOINT=hostile sudo -n "$HELPER"',
    "with the loader's variables": 'LD_LIBRARY_PATH="$X" LD_AUDIT="$X/hostile.so" GCONV_PATH="$X" LOCPATH="$X" '
    'GLIBC_TUNABLES=glibc.malloc.check=3 sudo -n "$HELPER"',
    "with the shell's variables": 'BASH_ENV="$X/hostile.sh" ENV="$X/hostile.sh" SHELLOPTS=xtrace IFS=/ CDPATH="$X" '
    'TMPDIR="$X" HOME="$X" PATH="$X/bin:$PATH" sudo -n "$HELPER"',
    "through a link": 'sudo -n "$X/bin/powertrain-helper"',
    "through a relative link": 'cd "$X/bin" && sudo -n ./powertrain-helper',
}
REFUSED = {
    "a look-alike first in the search path": "cp hostile.sh bin/p; mv -f bin/p bin/powertrain-helper; "
    'PATH="$X/bin:$PATH" sudo -n powertrain-helper',
    "a look-alike by its path": "cp -f --remove-destination hostile.sh bin/powertrain-helper; "
    "sudo -n bin/powertrain-helper",
    "a copy": 'cp --remove-destination "$HELPER" bin/powertrain-helper; sudo -n bin/powertrain-helper',
    "an argument": 'sudo -n "$HELPER" --root "$X"',
    "an empty argument": 'sudo -n "$HELPER" ""',
    "an argument to Python": 'sudo -n "$HELPER" -c "import hostile"',
    "the rule of an earlier version": f"sudo -n {OLD}",
    "the same through a link": f"sudo -n bin/python3 -ISB {INSTALL_FOLDER}/roothelper",
    "Python itself": 'sudo -n /usr/bin/python3 "$X/hostile.py"',
    "variables as arguments": 'sudo -n PYTHONHOME="$X" "$HELPER"',
    "a library as argument": 'sudo -n LD_PRELOAD="$X/hostile.so" "$HELPER"',
    "the whole environment": 'PYTHONHOME="$X" sudo -n -E "$HELPER"',
    "a kept variable": 'PYTHONHOME="$X" sudo -n --preserve-env=PYTHONHOME "$HELPER"',
    "another user": f'sudo -n -u {MALLORY} "$HELPER"',
    "another group": 'sudo -n -g daemon "$HELPER"',
    "another folder": 'sudo -n -D /tmp "$HELPER"',
    "another root": 'sudo -n -R "$X" "$HELPER"',
    "a shell": "sudo -n -s",
    "a login": "sudo -n -i",
    "an editor": 'sudo -n -e "$HELPER"',
    "an editor by another name": 'exec -a sudoedit sudo -n "$HELPER"',
    "another command": "sudo -n id",
}


@pytest.fixture(scope="module")
def private() -> Iterator[Machine]:
    """The machine, with the helper installed for Alice, and then for Bob, by a root with a strict umask."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with machine() as (found, is_private):
        if not is_private and not WELCOME:
            pytest.skip("would install the helper on this computer: POWERTRAIN_TEST_SUDO=1 where that is welcome")
        assert is_private or not INSTALL_FOLDER.exists(), "it is installed here: this test would remove it"
        for user in (ALICE, BOB):
            done = found.setup_helper("--sudo", "--user", user, before="umask 077")
            assert done.returncode == 0, done.stderr
        yield found
        assert found.setup_helper("--remove").returncode == 0


def attack(found: Machine, script: str, user: str = ALICE) -> subprocess.CompletedProcess[str]:
    return found.shell(f"HELPER={HELPER}\n{KIT}\n{script}", user=user, text=STATUS)


@pytest.mark.parametrize("user", [ALICE, BOB])
@pytest.mark.parametrize("how", STARTS)
def test_it_starts_the_helper(private: Machine, how: str, user: str) -> None:
    done = attack(private, STARTS[how], user)
    assert "HOSTILE" not in done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True, done.stderr


@pytest.mark.parametrize("how", REFUSED)
def test_it_starts_nothing_else(private: Machine, how: str) -> None:
    done = attack(private, REFUSED[how])
    assert "HOSTILE" not in done.stdout + done.stderr
    assert (done.returncode, done.stdout) == (1, ""), done.stderr


def test_nobody_else_may(private: Machine) -> None:
    for script in ('sudo -n "$HELPER"', f'sudo -n -u {ALICE} sudo -n "$HELPER"', 'sudo -n "$X/bin/powertrain-helper"'):
        done = attack(private, script, MALLORY)
        assert (done.returncode, done.stdout) == (1, "")
    assert "must run as root" in attack(private, '"$HELPER"', MALLORY).stdout


def test_a_link_that_changes_while_sudo_looks(private: Machine) -> None:
    """Between sudo's look and the start, a link to the helper becomes the attacker's own script, and back."""
    script = """
mkdir race; cp hostile.sh race/other; ln -s "$HELPER" race/real
( while :; do ln -sfn "$PWD/race/other" race/new; mv -Tf race/new race/powertrain-helper
              ln -sfn "$HELPER" race/new; mv -Tf race/new race/powertrain-helper; done ) & flipper=$!
for each in $(seq 40); do echo '{"do": "status"}' | sudo -n race/powertrain-helper; done
kill $flipper
"""
    done = attack(private, script)
    assert "HOSTILE" not in done.stdout + done.stderr
    assert all(json.loads(line)["ok"] for line in done.stdout.splitlines())


def test_nothing_that_root_runs_can_be_changed(private: Machine) -> None:
    done = private.shell(f'find {INSTALL_FOLDER} "$(dirname {SUDOERS})" /usr/bin/python3 -L -writable', user=ALICE)
    assert done.stdout == ""


def test_an_interpreter_in_a_rule_would_give_a_root_shell(private: Machine) -> None:
    """What the rule of earlier versions allowed, so that a test which finds nothing hostile means something."""
    version = private.shell("/usr/bin/python3 -ISc 'import sys; print(sys.version_info >= (3, 11))'").stdout
    if version != "True\n":
        pytest.skip("before Python 3.11 this takes a race")
    rule = f"{MALLORY} ALL=(root) NOPASSWD: {OLD}\n"
    other = SUDOERS.with_name("powertrain-test-earlier")
    try:
        assert private.shell(f"umask 0337; cat > {other}", text=rule).returncode == 0
        done = attack(private, f"sudo -n bin/python3 -ISB {INSTALL_FOLDER}/roothelper", MALLORY)
        assert done.stdout == "HOSTILE CODE AS 0", done.stderr
    finally:
        private.run("rm", "-f", str(other))


def test_an_earlier_version_s_rule_is_replaced(private: Machine) -> None:
    rule = f"{ALICE} ALL=(root) NOPASSWD: {OLD}\n"
    assert private.shell(f"cat > {SUDOERS}", text=rule).returncode == 0
    assert attack(private, 'sudo -n "$HELPER"').returncode == 1
    assert private.setup_helper("--sudo", "--user", BOB).returncode == 0
    for user in (ALICE, BOB):
        assert json.loads(attack(private, 'sudo -n "$HELPER"', user).stdout)["ok"] is True
    assert "python" not in private.run("sudo", "-n", "-l", user=ALICE).stdout


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("mount -t tmpfs -o ro tmpfs /usr/local", r"lies on a file system that is read-only, as on overlay"),
        (
            "mount -t tmpfs -o ro tmpfs /etc/sudoers.d",
            "lies on a file system that is read-only, as on overlay",
        ),
        ("rm -r $F; mkdir /usr/local/else; ln -s /usr/local/else $F", "is a link, and a link is not removed for you"),
        ("chown ptest-mallory $F/..", "can be changed by other users than root"),
        ("mount -t tmpfs tmpfs /usr/sbin", "sudo is not installed here: `apt-get install sudo`"),
        ("touch /usr/local/file; mount --bind /usr/local/file /usr/bin/python3", "needs a system Python of at least"),
    ],
)
def test_a_system_that_cannot_take_it_is_explained_in_one_line(private: Machine, before: str, says: str) -> None:
    """Each in a copy of the machine's mounts; what a copy writes to the overlay is undone by the next installation."""
    script = f'F={INSTALL_FOLDER}; {before}; exec "$@"'
    command = private.setup_command("--sudo", "--user", ALICE)
    try:
        done = private.run("unshare", "--mount", "bash", "-c", script, "bash", *command)
        assert (done.returncode, done.stdout) == (1, "")
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
    finally:
        private.shell(f"chown root {INSTALL_FOLDER}/..; test ! -L {INSTALL_FOLDER} || rm {INSTALL_FOLDER}")
        assert private.setup_helper("--sudo", "--user", ALICE).returncode == 0
