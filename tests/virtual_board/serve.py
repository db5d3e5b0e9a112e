"""The process that serves a mounted board: ``python -m virtual_board.serve BOARD MOUNTPOINT OPTIONS-AS-JSON``.

It ends when it is unmounted, or when its standard input closes: no mount outlives the test that made it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

from virtual_board.board import VirtualBoard
from virtual_board.filesystem import FileSystem
from virtual_board.nodes import Caller


def serve(name: str, mountpoint: str, options: dict[str, object]) -> None:
    """Mount a board and serve it until it is unmounted."""
    import mfusepy  # needs libfuse, which is not everywhere

    def caller() -> Caller:
        uid, gid, _ = mfusepy.fuse_get_context()
        return Caller(uid, gid, is_root=uid in (0, os.getuid()))

    threading.Thread(target=_unmount_with_parent, args=(mountpoint,), daemon=True).start()
    mfusepy.FUSE(
        FileSystem(VirtualBoard(name, **options), caller),  # type: ignore[arg-type]
        mountpoint,
        foreground=True,
        direct_io=True,
        allow_other=os.getuid() == 0,
        attr_timeout=0,
        entry_timeout=3600,  # names that vanish are noticed all the same: nothing is opened or described unasked
        negative_timeout=0,
        fsname="virtual-board",
    )


def _unmount_with_parent(mountpoint: str) -> None:
    sys.stdin.buffer.read()
    subprocess.run(["fusermount3", "-u", "-z", mountpoint], check=False, capture_output=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
