"""An extension of Griffe: docstrings are written for Sphinx's roles too, and are turned into Markdown here."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|meth|func|attr|mod):`(~?)\.?([\w.]+)`")
_DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.MULTILINE)
_CODE = re.compile(r"^( *)(\S.*)?::\n\n((?:\1    .*\n|\n)+)", re.MULTILINE)


class SphinxRoles(Extension):
    """Makes links of roles, and fences of doctests and literal blocks."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called by Griffe for each module, class, function and attribute."""
        if obj.docstring is not None:
            text = _CODE.sub(_fence, f"{obj.docstring.value}\n")
            text = _DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", text)
            obj.docstring.value = _ROLE.sub(lambda role: _link(role, obj), text).rstrip("\n")


def _link(role: re.Match[str], obj: Object) -> str:
    """A link if the target is on some page, else just its name."""
    is_short, target = role.groups()
    shown = target.rpartition(".")[2] if is_short else target
    owner = obj.parent if obj.is_function or obj.is_attribute else obj
    full = target if "." in target or owner is None else f"{owner.path}.{target}"
    return f'<autoref identifier="{full}" optional><code>{shown}</code></autoref>'


def _fence(block: re.Match[str]) -> str:
    indent, lead, code = block.groups()
    is_example = lead == "Example"
    lines = [line[len(indent) + 4 :] for line in code.strip("\n").split("\n")]
    fenced = ["```python" if is_example else "```text", *lines, "```"]
    if lead and not is_example:
        fenced = [f"{lead}:", "", *fenced]
    return "\n".join(f"{indent}{line}" for line in fenced) + "\n\n"
