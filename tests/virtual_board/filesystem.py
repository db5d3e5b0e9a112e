"""The system calls of a mounted board, in the form that mfusepy asks for."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from virtual_board.board import VirtualBoard
from virtual_board.control import Control
from virtual_board.nodes import READ, SEARCH, WRITE, Caller, Directory, DiskFile, KernelFile, Link, Node, refuse
from virtual_board.specs import CONTROL

_WANTED = {os.O_RDONLY: READ, os.O_WRONLY: WRITE, os.O_RDWR: READ | WRITE}
_PAGE = 4096
_UNLINKED = ".fuse_hidden"
"""What libfuse renames a file to that is unlinked while it is open."""


@dataclass
class Handle:
    """An open file; ``text`` is what the last read from its start gave."""

    path: str
    node: DiskFile | KernelFile
    text: bytes | None = None


class FileSystem:
    """A board as a file system.

    Args:
        board: The board.
        caller: Who is calling now.
    """

    use_ns = True

    def __init__(self, board: VirtualBoard, caller: Callable[[], Caller]) -> None:
        self._board = board
        self._tree = board.tree
        self._caller = caller
        self._control = Directory(0o755, children=dict(Control(board).files))
        self._handles: dict[int, Handle] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    # -- asking -------------------------------------------------------------------------------------------------------

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, int]:
        node = self._find(path) if path is not None else self._handles[fh or 0].node
        size = len(node.data) if isinstance(node, DiskFile) else node.size if isinstance(node, KernelFile) else 0
        return {
            "st_mode": node.kind | node.mode,
            "st_nlink": 2 if isinstance(node, Directory) else 1,
            "st_uid": node.uid,
            "st_gid": node.gid,
            "st_size": size,
        }

    def access(self, path: str, amode: int) -> int:
        node = self._find(path)
        if not node.allows(self._caller(), amode & 7) or (amode & os.W_OK and _is_written_by_nobody(node)):
            raise refuse(errno.EACCES, path)
        return 0

    def readdir(self, path: str, fh: int) -> list[str]:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR, path)
        if not node.allows(self._caller(), READ):
            raise refuse(errno.EACCES, path)
        return [".", "..", *(name for name in node.children if not name.startswith(_UNLINKED))]

    def readlink(self, path: str) -> str:
        node = self._find(path)
        if not isinstance(node, Link):
            raise refuse(errno.EINVAL, path)
        return node.target

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": _PAGE, "f_blocks": 1 << 20, "f_bfree": 1 << 19, "f_bavail": 1 << 19, "f_namemax": 255}

    # -- files --------------------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int) -> int:
        node = self._find(path)
        if not isinstance(node, (DiskFile, KernelFile)):
            raise refuse(errno.EISDIR, path)
        wanted = _WANTED[flags & os.O_ACCMODE]
        if not node.allows(self._caller(), wanted) or (wanted & WRITE and _is_written_by_nobody(node)):
            raise refuse(errno.EACCES, path)
        if isinstance(node, DiskFile) and flags & os.O_TRUNC:
            node.data.clear()
        return self._handle(path, node)

    def create(self, path: str, mode: int, flags: int) -> int:
        if not self._tree.directory(str(PurePosixPath(path).parent), self._caller()).on_disk:
            raise refuse(errno.EACCES, path)
        node = DiskFile(stat.S_IMODE(mode))
        self._add(path, node)
        return self._handle(path, node)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        handle = self._handles[fh]
        if isinstance(handle.node, DiskFile):
            return bytes(handle.node.data[offset : offset + size])
        if offset == 0 or handle.text is None:
            handle.text = self._show(handle.path, handle.node)
        return handle.text[offset : offset + size]

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        handle = self._handles[fh]
        if not data:  # never reaches a store: measured on 5.10.223 and 6.1
            return 0
        if isinstance(handle.node, DiskFile):
            self._board.faults.strike("write", handle.path)
            content = handle.node.data
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
        else:
            self._store(handle.path, handle.node, data.decode("utf-8", "replace"))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        node = self._find(path)
        if not node.allows(self._caller(), WRITE):
            raise refuse(errno.EACCES, path)
        if isinstance(node, DiskFile):
            del node.data[length:]
            node.data.extend(bytes(length - len(node.data)))
        return 0

    def release(self, path: str, fh: int) -> int:
        self._handles.pop(fh, None)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return 0

    # -- the disk -----------------------------------------------------------------------------------------------------

    def mkdir(self, path: str, mode: int) -> int:
        self._add(path, Directory(stat.S_IMODE(mode), on_disk=True))
        return 0

    def symlink(self, path: str, target: str) -> int:
        self._add(path, Link(0o777, target=target))
        return 0

    def unlink(self, path: str) -> int:
        if isinstance(self._find(path), Directory):
            raise refuse(errno.EISDIR, path)
        self._parent(path).children.pop(PurePosixPath(path).name)
        return 0

    def rmdir(self, path: str) -> int:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR, path)
        parent = self._parent(path)
        if node.children:
            raise refuse(errno.ENOTEMPTY, path)
        parent.children.pop(PurePosixPath(path).name)
        return 0

    def rename(self, old: str, new: str) -> int:
        source, target = self._parent(old), self._parent(new)
        replaced = target.children.get(PurePosixPath(new).name)
        if isinstance(replaced, Directory) and replaced.children:
            raise refuse(errno.ENOTEMPTY, new)
        with self._lock:
            target.children[PurePosixPath(new).name] = source.children.pop(PurePosixPath(old).name)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._owned(path).mode = stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        node = self._owned(path)
        if not self._caller().is_root:
            raise refuse(errno.EPERM, path)
        node.uid, node.gid = (node.uid if uid == -1 else uid), (node.gid if gid == -1 else gid)
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        self._owned(path)
        return 0

    # -- what they have in common -------------------------------------------------------------------------------------

    def _find(self, path: str) -> Node:
        if path.startswith(CONTROL):
            name = path[len(CONTROL) :].strip("/")
            node = self._control.children.get(name) if name else self._control
            if node is None:
                raise refuse(errno.ENOENT, path)
            return node
        return self._tree.find(path, self._caller())

    def _handle(self, path: str, node: DiskFile | KernelFile) -> int:
        number = next(self._numbers)
        self._handles[number] = Handle(path, node)
        return number

    def _show(self, path: str, file: KernelFile) -> bytes:
        if path.startswith(CONTROL):
            return file.text()
        self._check_is_there(path, file)
        return self._board.show(path, file)

    def _store(self, path: str, file: KernelFile, text: str) -> None:
        if path.startswith(CONTROL):
            file.take(text)
        else:
            self._check_is_there(path, file)
            self._board.store(path, file, text, self._caller().uid)

    def _check_is_there(self, path: str, file: KernelFile) -> None:
        """An open file whose directory was taken away, and perhaps made anew, is dead."""
        try:
            is_there = self._tree.find(path) is file
        except OSError:
            is_there = False
        if not is_there:
            raise refuse(errno.ENODEV, path)

    def _parent(self, path: str) -> Directory:
        """The directory of ``path``, in which the caller may add and remove names."""
        parent = self._tree.directory(str(PurePosixPath(path).parent), self._caller())
        if not parent.on_disk:
            raise refuse(errno.EPERM, path)
        if not parent.allows(self._caller(), WRITE | SEARCH):
            raise refuse(errno.EACCES, path)
        return parent

    def _add(self, path: str, node: Node) -> None:
        parent, caller = self._parent(path), self._caller()
        self._board.faults.strike("write", path)
        if PurePosixPath(path).name in parent.children:
            raise refuse(errno.EEXIST, path)
        node.uid, node.gid = (0, 0) if caller.is_root else (caller.uid, caller.gid)
        parent.children[PurePosixPath(path).name] = node

    def _owned(self, path: str) -> Node:
        node, caller = self._find(path), self._caller()
        if not caller.is_root and caller.uid != node.uid:
            raise refuse(errno.EPERM, path)
        return node


def _is_written_by_nobody(node: Node) -> bool:
    """Even root cannot open a pseudo file for writing that has no write bit at all."""
    return isinstance(node, KernelFile) and not node.mode & 0o222
