"""Power from jtop, for boards whose sensors only root can read (JetPack 4).

jtop runs in a Python of its own: importing it changes how the whole process starts its children. It smooths nothing
that matters here, but it samples at its own rate, half a second by default.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import IO, Any

from lightning_powertrain.devices.power_source import PowerReading
from lightning_powertrain.devices.rails import Total, total_of
from lightning_powertrain.errors import DeviceError

_SETTLE_S = 3.0  # The sensor's filter, and two ticks of jtop.
_FIRST_S = 15.0
_STALE_S = 5.0
_RETRY_S = 30.0  # After a stall the child is replaced, at most so often.

# Powers are in mW. jtop takes the rail of the whole board out of "rail" and shows it as "tot"; without such a rail,
# "tot" is a sum, which in some versions holds USB-C supplies as well, and has no voltage.
_CHILD = """
import json, sys
from jtop import jtop, JtopException
try:
    with jtop(interval=0.5) as board:
        while board.ok():
            rails = {name: rail["power"] for name, rail in board.power["rail"].items() if rail.get("type") != "SYSTEM"}
            total = board.power["tot"]
            whole = total.get("name", "VDD_IN") if "volt" in total else None
            if whole:
                rails[whole] = total["power"]
            print(json.dumps({"rails_mw": rails, "whole": whole}), flush=True)
except (JtopException, BrokenPipeError, KeyboardInterrupt) as error:
    sys.exit(" ".join(str(error).split()))
"""


class JtopPower:
    """Power as the jtop service shows it. The child ends with this process, or on :meth:`close`.

    Args:
        rails: The module's own rails, as the catalogue names them; empty for a board that it does not know.
        python: The Python that has jtop.

    Raises:
        DeviceError: If jtop gives no reading.
    """

    def __init__(self, rails: Sequence[str] = (), python: str = sys.executable) -> None:
        self._own = tuple(rails)
        self._python = python
        self._is_closed = False
        self._begin().wait(_FIRST_S)
        if not self._latest:
            raise self._failure()
        try:
            self.read()
        except DeviceError:
            self.close()
            raise

    def _begin(self) -> threading.Event:
        """Start a child; returns what is set once it has said something."""
        self._child = subprocess.Popen(
            [self._python, "-c", _CHILD],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._began_s = time.monotonic()
        self._latest: list[tuple[float, Mapping[str, Any]]] = []
        first = threading.Event()
        assert self._child.stdout is not None
        threading.Thread(
            target=_collect, args=(self._child.stdout, self._latest, first), name="powertrain-jtop", daemon=True
        ).start()
        self._finalizer = weakref.finalize(self, _end, self._child)
        return first

    @staticmethod
    def installed() -> bool:
        """Whether this Python has jtop; does not import it."""
        return importlib.util.find_spec("jtop") is not None

    @property
    def source(self) -> str:
        """What the total is."""
        return f"jtop:{self._total(*self._message()).source}"

    @property
    def caveat(self) -> str:
        """Why the total may be wrong; empty where it is known to be the module's."""
        return self._total(*self._message()).caveat

    @property
    def settle_s(self) -> float:
        """Seconds until a reading has forgotten the mode before."""
        return _SETTLE_S

    def read(self) -> PowerReading:
        """The newest reading.

        Raises:
            DeviceError: If it is old, or there is none, or it says 0 W: so jtop shows a board without a sensor.
        """
        rails, whole = self._message()
        rails_w = {name: milliwatts / 1e3 for name, milliwatts in rails.items()}
        total_w = sum(rails_w[name] for name in self._total(rails, whole).parts)
        if total_w <= 0:
            raise DeviceError("jtop shows 0 W, which no running board draws: this board seems to have no power sensor")
        return PowerReading(total_w, rails_w)

    def _total(self, rails: Mapping[str, float], whole: str | None) -> Total:
        return Total((whole,)) if whole else total_of(list(rails), self._own)

    def close(self) -> None:
        """End the child."""
        self._is_closed = True
        self._finalizer()

    def _message(self) -> tuple[dict[str, float], str | None]:
        now_s = time.monotonic()
        if not self._latest or now_s - self._latest[-1][0] > _STALE_S:
            if self._is_closed or now_s - self._began_s < _RETRY_S:
                raise _no_power("")
            failure = self._failure()
            self._begin()  # The service may have been restarted: the next readings show.
            raise failure
        message = self._latest[-1][1]
        return dict(message["rails_mw"]), message["whole"]

    def _failure(self) -> DeviceError:
        """End the child, which is no longer needed, and return what it wrote last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(1.0)
        self._child.kill()
        stderr = self._child.stderr
        said = stderr.read().strip().rpartition("\n")[2] if stderr and not stderr.closed else ""
        self._finalizer()
        return _no_power(said)


def _no_power(said: str) -> DeviceError:
    reason = f" ({said})" if said else ""
    return DeviceError(f"jtop reports no power{reason}. `sudo systemctl restart jtop` may help")


def _collect(lines: IO[str], latest: list[tuple[float, Mapping[str, Any]]], first: threading.Event) -> None:
    """Keep the newest line. Holds no reference to the power source, so that this can be collected and end the child."""
    try:
        for line in lines:
            latest[:] = [(time.monotonic(), json.loads(line))]
            first.set()
    finally:
        first.set()
        lines.close()


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    if child.stderr is not None:
        child.stderr.close()
