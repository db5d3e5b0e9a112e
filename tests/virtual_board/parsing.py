"""How the kernel reads what somebody writes to a pseudo file: each driver in its own way."""

from __future__ import annotations

import errno
import re

from virtual_board.nodes import refuse

LONG_MAX = 2**63 - 1


def scanned(text: str) -> int:
    """``sscanf("%lu")``: blanks before the number and rubbish after it are passed over; the kernel's takes no sign.

    Measured on 5.10.223 and 6.1.
    """
    match = re.match(r"\s*(\d+)", text)
    if not match:
        raise refuse(errno.EINVAL)
    return int(match[1]) % 2**64


def strict(text: str) -> int:
    """``kstrtoul``: a number, in any of C's bases, and at most one newline after it."""
    match = re.fullmatch(r"\+?(0[xX][0-9a-fA-F]+|\d+)\n?", text)
    if not match:
        raise refuse(errno.EINVAL)
    digits = match[1]
    octal = digits.startswith("0") and digits.isdigit() and len(digits) > 1
    if octal and not re.fullmatch("[0-7]+", digits):
        raise refuse(errno.EINVAL)
    value = int(digits, 8) if octal else int(digits, 0)
    if value >= 2**64:
        raise refuse(errno.ERANGE)
    return value


def boolean(text: str) -> bool:
    """``kstrtobool``: 1, y, t, on; 0, n, f, off."""
    lowered = text.lower()
    if lowered[:1] in ("1", "y", "t") or lowered[:2] == "on":
        return True
    if lowered[:1] in ("0", "n", "f") or lowered[:2] == "of":
        return False
    raise refuse(errno.EINVAL)


def rounded_down(value: int, table: tuple[int, ...]) -> int:
    """The highest entry that is not above ``value``, or the lowest there is."""
    return max((entry for entry in table if entry <= value), default=table[0])


def rounded_up(value: int, table: tuple[int, ...]) -> int:
    """The lowest entry that is not below ``value``, or the highest there is."""
    return min((entry for entry in table if entry >= value), default=table[-1])
