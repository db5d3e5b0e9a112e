"""Virtual Jetsons: file systems that look and behave like the ``/sys``, ``/proc`` and ``/etc`` of real boards.

A test mounts one in three lines and uses it with ordinary files::

    with mounted("orin-agx-jp6") as board:
        (board.root / "sys/devices/system/cpu/cpu3/online").write_text("0")
        assert [write["text"] for write in board.writes()] == ["0"]

or takes the fixture ``virtual_board``, which mounts by name, unmounts at the end, and skips where FUSE is missing.
``board.root`` is the prefix that stands for ``/``; any process on this machine may use it. A board boots in its default
stock mode, under full load. Orders such as ``board.fail("/sys/kernel/nvpmodel_clk_cap/emc", errno.EIO)`` or
``board.heat(101)`` make trouble; ``board.settings()`` before and after shows whether all was restored.
"""

from virtual_board.mounting import BOARDS, MountedBoard, mounted, why_unavailable

__all__ = ["BOARDS", "MountedBoard", "mounted", "why_unavailable"]
