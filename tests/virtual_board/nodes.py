"""Files as a kernel has them: every one belongs to somebody, and a pseudo file is two functions."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

READ, WRITE, SEARCH = 4, 2, 1


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Args:
        uid: Its user.
        gid: Its group.
        is_root: Whether permissions do not bind it.
    """

    uid: int
    gid: int
    is_root: bool


KERNEL = Caller(0, 0, True)


def refuse(code: int, path: str = "") -> OSError:
    """The error that a system call answers with."""
    return OSError(code, os.strerror(code), path)


@dataclass
class Node:
    """Anything that has a name.

    Args:
        mode: Permission bits.
        uid: Its owner.
        gid: Its group.
    """

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    kind = 0

    def allows(self, caller: Caller, wanted: int) -> bool:
        """Whether the permission bits grant all of ``wanted``."""
        if caller.is_root:
            return True
        shift = 6 if caller.uid == self.uid else 3 if caller.gid == self.gid else 0
        return self.mode >> shift & wanted == wanted


@dataclass
class Directory(Node):
    """A directory; on a disk, users may make files in it, in sysfs nobody may."""

    on_disk: bool = False
    children: dict[str, Node] = field(default_factory=dict)
    kind = stat.S_IFDIR


@dataclass
class Link(Node):
    """A symbolic link. Links are relative, so that they stay inside the mount."""

    target: str = ""
    kind = stat.S_IFLNK


@dataclass
class DiskFile(Node):
    """An ordinary file."""

    mode: int = 0o644
    data: bytearray = field(default_factory=bytearray)
    kind = stat.S_IFREG


@dataclass
class KernelFile(Node):
    """A pseudo file: each read from its start asks ``show`` anew, each write is one call of ``store``.

    Args:
        show: Gives the text, or raises what the kernel would.
        store: Takes the text of one write, or raises what the kernel would.
        size: What ``stat`` says: a page in sysfs, nothing in procfs and debugfs.
        kept: Gives the text that the kernel keeps while ``show`` cannot give it; None where ``show`` always can.
    """

    mode: int = 0o444
    show: Callable[[], str | bytes] | None = None
    store: Callable[[str], None] | None = None
    size: int = 4096
    kept: Callable[[], str | bytes] | None = None
    kind = stat.S_IFREG

    def text(self) -> bytes:
        """What a read from its start gives."""
        shown = self.show() if self.show else ""
        return shown if isinstance(shown, bytes) else shown.encode()

    def setting(self) -> bytes:
        """What the kernel keeps of it, shown or not."""
        return KernelFile(show=self.kept or self.show).text()

    def take(self, text: str) -> None:
        """What one write does."""
        if self.store:
            self.store(text)


def read_only(show: Callable[[], object], mode: int = 0o444, size: int = 4096) -> KernelFile:
    """A pseudo file of one line that nobody can write."""
    return KernelFile(mode, show=lambda: f"{show()}\n", size=size)


def constant(value: object, mode: int = 0o444) -> KernelFile:
    """A pseudo file whose one line never changes."""
    return read_only(lambda: value, mode)


def settable(
    show: Callable[[], object], store: Callable[[str], None], mode: int = 0o644, size: int = 4096
) -> KernelFile:
    """A pseudo file of one line that its owner can write."""
    return KernelFile(mode, show=lambda: f"{show()}\n", store=store, size=size)


class Tree:
    """A tree of nodes, addressed by absolute paths."""

    def __init__(self) -> None:
        self.root = Directory(on_disk=True)

    def find(self, path: str, caller: Caller = KERNEL) -> Node:
        """The node at ``path``, whose own link, if it is one, is not followed.

        Raises:
            OSError: ENOENT, ENOTDIR, or EACCES where a directory on the way is closed to the caller.
        """
        node: Node = self.root
        for name in PurePosixPath(path).parts[1:]:
            if not isinstance(node, Directory):
                raise refuse(errno.ENOTDIR, path)
            if not node.allows(caller, SEARCH):
                raise refuse(errno.EACCES, path)
            if name not in node.children:
                raise refuse(errno.ENOENT, path)
            node = node.children[name]
        return node

    def directory(self, path: str, caller: Caller = KERNEL) -> Directory:
        """The directory at ``path``.

        Raises:
            OSError: As :meth:`find`, or ENOTDIR.
        """
        node = self.find(path, caller)
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR, path)
        return node

    def has(self, path: str) -> bool:
        """Whether there is anything at ``path``."""
        try:
            self.find(path)
        except OSError:
            return False
        return True

    def resolve(self, path: str) -> str:
        """``path`` without links in it; what does not exist is taken as it stands."""
        resolved = PurePosixPath("/")
        for name in PurePosixPath(path).parts[1:]:
            step = resolved / name
            node = self.find(str(step)) if self.has(str(step)) else None
            if isinstance(node, Link):
                step = PurePosixPath(self.resolve(os.path.normpath(resolved / node.target)))
            resolved = step
        return str(resolved)

    def place(self, path: str, node: Node) -> None:
        """Put a node at ``path``; directories on the way are made as needed."""
        *parents, name = PurePosixPath(path).parts[1:]
        parent = self.root
        for part in parents:
            child = parent.children.setdefault(part, Directory(on_disk=parent.on_disk))
            if not isinstance(child, Directory):
                raise refuse(errno.ENOTDIR, path)
            parent = child
        parent.children[name] = node

    def link(self, path: str, target: str) -> None:
        """Put a relative link to the absolute ``target`` at ``path``."""
        self.place(path, Link(mode=0o777, target=os.path.relpath(target, PurePosixPath(path).parent)))

    def remove(self, path: str) -> None:
        """Take a node away, if it is there."""
        where = PurePosixPath(path)
        if self.has(path):
            self.directory(str(where.parent)).children.pop(where.name)

    def walk(self) -> Iterator[tuple[str, Node]]:
        """All nodes with their paths, in the order of these; that of the root is empty."""
        return self._below("", self.root)

    def _below(self, path: str, node: Node) -> Iterator[tuple[str, Node]]:
        yield path, node
        if isinstance(node, Directory):
            for name, child in sorted(node.children.items()):
                yield from self._below(f"{path}/{name}", child)
