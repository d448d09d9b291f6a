"""Names, texts and paths of a source in the spelling of our documents and expressions."""

from __future__ import annotations

import re
from typing import Any, Final

_UNNAME: Final = re.compile(r"[^a-z0-9]+")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME_CHARS: Final = 63


def slug(name: Any, otherwise: str) -> str:
    """A name of a workflow or reusable task."""
    words = _UNNAME.sub("-", str(name).lower()).strip("-")[:_NAME_CHARS].strip("-")
    return words or otherwise


def literal(text: str) -> str:
    """A text of the source as a template that gives just that text."""
    return text.replace("{{", "{{{{")


def quoted(text: str) -> str:
    """A text as a literal of our expressions."""
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    made = "".join(escapes.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in text)
    return f"'{made}'"


def below(base: str, *segments: str | int) -> str:
    """An expression for what stands below another one."""
    out = base
    for segment in segments:
        if isinstance(segment, int):
            out += f"[{segment}]"
        elif _FIELD.fullmatch(segment):
            out += f".{segment}"
        else:
            out += f"[{quoted(segment)}]"
    return out


def braced(expression: str) -> str:
    """A template of one expression."""
    return f"{{{{{expression}}}}}" if not expression.startswith("{") else f"{{{{ {expression} }}}}"
