"""The same document under another version label, its comments and layout kept."""

from __future__ import annotations

import re
from typing import Final

from millrace.base.canonical import content_hash
from millrace.base.errors import Conflict
from millrace.services.packaging.opening import Part
from millrace.spec import load

_SCALAR: Final = re.compile(r""""[^"]*"|'[^']*'|[^\s#,}\]]+""")


def unlabelled_hash(value: dict[str, object]) -> str:
    """The hash of a document without its version label."""
    spec = value["spec"]
    assert isinstance(spec, dict)
    return content_hash({**value, "spec": {name: inner for name, inner in spec.items() if name != "version"}})


def relabelled(part: Part, label: str) -> bytes:
    """The source with ``label`` in the place of its spec.version; as it is when it has none.

    Raises Conflict when the label is written in a way that cannot be replaced in place.
    """
    if part.document.spec.version is None:
        return part.source
    line, column = part.loaded.source.position(("spec", "version"))
    mark = "\ufeff" if part.source.startswith(b"\xef\xbb\xbf") else ""
    lines = part.source.decode().removeprefix(mark).split("\n")
    at = column - 1
    lines[line - 1] = lines[line - 1][:at] + _SCALAR.sub(f'"{label}"', lines[line - 1][at:], count=1)
    made = (mark + "\n".join(lines)).encode()
    again = load(made, media=part.media)
    document = again.document
    if (
        document is None
        or document.spec.version != label
        or unlabelled_hash(again.value) != unlabelled_hash(part.loaded.value)
    ):
        raise Conflict(
            f"the version label of {part.title} cannot be replaced where it stands",
            hint="Write spec.version as a plain or quoted text on one line, and export again.",
        )
    return made
