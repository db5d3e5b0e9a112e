"""How the kernels of the JetPacks treat cpufreq and devfreq files, each with where that is known from.

"Measured" means on Debian's arm64 kernels 5.10.223 and 6.1, booted under QEMU with the kernel's own cpufreq and devfreq
core. "Read" means in the source of NVIDIA's 4.9 and 5.10. Nobody has measured 5.15 and 6.8; they are taken to behave as
6.1 does. jetson-stats reports EBUSY from sleeping policies on JetPack 6, which agrees.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """A kernel series.

    Args:
        refuses_crossing: Whether a minimum above the maximum is EINVAL. Read in 4.9. Later kernels keep both requests
            and cut the minimum: measured on 5.10 and 6.1.
        sleeping_read: What reading a policy without an online CPU fails with; 0 shows the old text. Old text: read in
            4.9, measured on 5.10. EBUSY: measured on 6.1.
        sleeping_write: What writing to such a policy fails with. EINVAL: read in 4.9, measured on 5.10. EBUSY: measured
            on 6.1.
        busy_while_plugging: Whether every cpufreq write fails with EBUSY while any CPU is being plugged: measured on
            5.10; on 6.1 they succeed; 4.9 waits (read).
        rounds_cpu_limits: Whether a limit of a policy is rounded to its table: measured on 6.1, and not so on 5.10. On
            4.9 the store only clips (read).
        cooling_device: What the cooling device of a policy is called, by its number and its first core.
    """

    refuses_crossing: bool = False
    sleeping_read: int = 0
    sleeping_write: int = errno.EINVAL
    busy_while_plugging: bool = False
    rounds_cpu_limits: bool = False
    cooling_device: str = "thermal-cpufreq-{number}"


_LIKE_6_1 = Kernel(
    sleeping_read=errno.EBUSY, sleeping_write=errno.EBUSY, rounds_cpu_limits=True, cooling_device="cpufreq-cpu{core}"
)

KERNELS = {4: Kernel(refuses_crossing=True), 5: Kernel(busy_while_plugging=True), 6: _LIKE_6_1, 7: _LIKE_6_1}
"""By generation of JetPack: 4.9, 5.10, 5.15 and 6.8."""
