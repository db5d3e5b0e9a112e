"""What works here, what does not, and the exact command that helps: one function a check, facts in, findings out."""

from __future__ import annotations

from typing import Callable, Iterator

from lightning_powertrain.boards.knobs import PER_MHZ, unit_of
from lightning_powertrain.devices.facts import Facts, KnobFacts
from lightning_powertrain.devices.findings import CONTAINER_FLAGS, Finding, docker_run
from lightning_powertrain.devices.helper_checks import HELPER_CHECKS, reason_and_fix
from lightning_powertrain.devices.software_checks import (
    check_container,
    check_cpusets,
    check_demo,
    check_jetpack,
    check_nvpmodel,
    check_torch,
    demo_lacks,
    generation,
)
from lightning_powertrain.devices.sysfs import COOLING_S

_SLOWEST_HZ = 5.0
_WAKE_GPU = "python3 -c \"import torch; torch.zeros(1, device='cuda')\""


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """All findings, in the order in which they are best read."""
    checks = _ON_A_JETSON if facts.jetson else _ELSEWHERE
    return tuple(finding for check in checks for finding in check(facts))


def tuning_works(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing was found that keeps a job here from being tuned."""
    return all(finding.status != "fail" for finding in findings)


def _check_jetson(facts: Facts) -> Iterator[Finding]:
    if facts.container and facts.machine == "aarch64":
        text = "no Jetson is visible in this container. On a Jetson, start the container with these options"
        yield Finding("board", "fail", text, docker_run(CONTAINER_FLAGS))
        return
    text = f"this is not a Jetson ({facts.machine}): there is no power mode to tune. Simulated boards work here"
    yield Finding("board", "fail", text, "" if demo_lacks(facts) else "powertrain demo")


def _check_board(facts: Facts) -> Iterator[Finding]:
    if facts.board:
        yield Finding("board", "ok", f"{facts.model or facts.board.title}; in the catalogue as {facts.board.key}")
    else:
        text = f"{facts.model or 'a Jetson whose name is hidden'}; not in the catalogue: its own sysfs tables are used"
        yield Finding("board", "note", text)


def _check_knobs(facts: Facts) -> Iterator[Finding]:
    if facts.read_only:
        fix = docker_run(CONTAINER_FLAGS) if facts.container else "sudo mount -o remount,rw /sys"
        yield Finding("knobs", "fail", "the kernel's settings (/sys) are mounted read-only here", fix)
    elif facts.refused:
        reasons = "; ".join(f"{reason}: {', '.join(paths[:3])}" for reason, paths in facts.refused.items())
        text = f"the kernel refuses to have settings written, though /sys is not mounted read-only ({reasons})"
        yield Finding("knobs", "fail", f"{text}. The cause is not known")
    elif facts.helper.status is not None and not any(knob.settable for knob in facts.knobs.values()):
        yield Finding("knobs", "fail", "no power setting was found on this Jetson: is /sys mounted here?")
    for name, knob in facts.knobs.items():
        yield _knob(name, knob, facts)


def _knob(name: str, knob: KnobFacts, facts: Facts) -> Finding:
    means = "as root" if facts.root_user and facts.helper.way != "service" else "through the root helper"
    if facts.read_only or (knob.values and not knob.settable):
        return Finding(name, "warn", f"{_range(name, knob)}; can be read, not set")
    if knob.asleep:
        return Finding(name, "ok", f"its cores are offline; set {means} once they are awake")
    if knob.settable:
        return Finding(name, "ok", f"{_range(name, knob)}; set {means}")
    return Finding(name, "warn", *_hidden(name, facts))


def _hidden(name: str, facts: Facts) -> tuple[str, str]:
    """Why a knob that the catalogue expects cannot be seen, and what shows it."""
    if facts.helper.status is None:
        return "hidden now; the root helper may see it", ""
    if name == "gpu_hz" and generation(facts) in (4, 5):
        return "not there: on JetPack 4 and 5 it appears once a program uses the GPU", _WAKE_GPU
    if name == "emc_hz" and facts.debug_files == "others":
        return "the kernel's debug files are mounted, but show no memory clock: power modes do not change it", ""
    if name == "emc_hz" and facts.container and facts.debug_files != "firmware's":
        return "not visible in this container: power modes do not change it", docker_run(CONTAINER_FLAGS)
    if name == "emc_hz" and facts.debug_files == "none":
        return "the firmware's debug files are not mounted", "sudo mount -t debugfs none /sys/kernel/debug"
    return "not found on this board, the cause is not known: power modes do not change it", ""


def _check_power(facts: Facts) -> Iterator[Finding]:
    power = facts.power
    if power.error:
        reason, fix = _no_power(facts)
        yield Finding("power", "fail", reason, fix)
        return
    summed = power.source.startswith("sum:")
    parts = power.source[len("sum:") :].split("+") if summed else [power.source]
    total = f"the sum of {', '.join(parts)}" if summed else f"by {power.source}"
    others = [rail for rail in power.rails if rail not in parts]
    more = f"; also there, not added: {', '.join(others)}" if others else ""
    text = f"{power.total_w:.1f} W, {total}{more}"
    if power.caveat:
        yield Finding("power", "warn", f"{text}. This total is uncertain: {power.caveat}")
    else:
        yield Finding("power", "ok", text)
    sampling = f"{power.rate_hz:.1f} samples/s of 10 asked for, {power.sample_ms:.1f} ms each"
    if power.rate_hz < _SLOWEST_HZ:
        yield Finding("sampling", "warn", f"{sampling}: fewer than {_SLOWEST_HZ:.0f}, so short windows are uncertain")
    else:
        yield Finding("sampling", "ok", f"{sampling}; {power.settle_s:.1f} s to settle after a switch")


def _no_power(facts: Facts) -> tuple[str, str]:
    """Why no power can be read, and the next thing to do about it."""
    power, board = facts.power, facts.board
    if board and not board.rails:
        return f"{board.title} has no power sensor, so its power modes cannot be compared", ""
    if not power.chips and not facts.container:
        return "no power sensor is visible here, the cause is not known", ""
    if power.shows_zero:
        return power.error, ""
    usual = ", as is usual on JetPack 4" * (generation(facts) == 4)
    unreadable = f"this user cannot read the power sensors{usual}"
    reason = unreadable if power.chips else "no power sensor is visible in this container"
    if not facts.jtop:
        return f"{reason}; jtop may read them", "pip install 'lightning-powertrain[jetson]'"
    if facts.container:
        flags = "-v /run/jtop.sock:/run/jtop.sock --group-add $(getent group jtop | cut -d: -f3)"
        return f"{reason}, and jtop's service is not reachable from this container", docker_run(flags)
    if not facts.jtop_service:
        fix = "sudo $(which jtop) --install-service && sudo usermod -aG jtop $USER  # then log in again"
        return f"{reason}, and jtop's service does not run, or this user may not use it", fix
    said, fix = reason_and_fix(power.error)
    return f"{reason}; {said}", fix


def _check_jtop(facts: Facts) -> Iterator[Finding]:
    if facts.power.source.startswith("jtop:"):
        yield Finding("jtop", "ok", "gives the power that sysfs hides from this user")
    elif facts.power.error:
        yield Finding("jtop", "note", "installed" if facts.jtop else "not installed")
    else:
        yield Finding("jtop", "ok", f"{'installed' if facts.jtop else 'not installed'}; not needed here")


def _check_heat(facts: Facts) -> Iterator[Finding]:
    """Nothing on a cool board."""
    if facts.lowering:
        text = (
            f"the board throttles now ({', '.join(facts.lowering)}): its clock limits read lower than they were set. A "
            f"job that starts now waits {COOLING_S:g} s for the board to cool down, and is not tuned if it stays hot"
        )
        yield Finding("heat", "warn", text)


def _range(name: str, knob: KnobFacts) -> str:
    """Table and value of a knob in a few words."""
    unit = unit_of(name)
    lowest, highest, now = (
        "?" if value is None else f"{value / PER_MHZ[unit]:.5g}" if unit else str(value)
        for value in (knob.values[0] if knob.values else None, knob.values[-1] if knob.values else None, knob.now)
    )
    mhz = " MHz" if unit else ""
    return f"{now}{mhz} now, {len(knob.values)} values from {lowest} to {highest}{mhz}"


Check = Callable[[Facts], Iterator[Finding]]
_ON_A_JETSON: tuple[Check, ...] = (
    *(_check_board, check_jetpack, *HELPER_CHECKS, _check_knobs, _check_power, _check_jtop),
    *(check_nvpmodel, check_container, check_cpusets, _check_heat, check_torch),
)
_ELSEWHERE: tuple[Check, ...] = (_check_jetson, check_demo, check_torch)
