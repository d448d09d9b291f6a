"""How a document of the other dialect is told from all others."""

from __future__ import annotations

import re
from typing import Any, Final

FLOW: Final = "dependency_flow"
CALL: Final = "external_call"
_OURS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
_STEP: Final = re.compile(rb"""\btype["']?\s*:\s*["']?(?:dependency_flow|external_call)\b""")
_HEADING: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?\{?\s*["']?(?:name|steps)["']?\s*:""", re.MULTILINE)
_KIND: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?["']?(?:apiVersion|kind)["']?\s*:""", re.MULTILINE)


def is_dialect(value: Any) -> bool:
    """Whether a document is of the dialect: it has a name and steps, none of the keys that ours begin with, and at
    least one step of a type that only the dialect has."""
    if not isinstance(value, dict) or _OURS & value.keys() or "name" not in value:
        return False
    steps = value.get("steps")
    return isinstance(steps, list) and any(
        isinstance(step, dict) and step.get("type") in (FLOW, CALL) for step in steps
    )


def looks_like_dialect(text: bytes) -> bool:
    """`is_dialect` of a text that nobody has parsed yet: true for all that are, and for few others."""
    return bool(_STEP.search(text)) and bool(_HEADING.search(text)) and not _KIND.search(text)
