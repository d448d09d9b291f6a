"""Sources joined to one YAML stream. Each is one document already, so its own markers and directives go."""

from __future__ import annotations

import re
from typing import Final

from millrace.base.canonical import dumps
from millrace.services.packaging.closure import Member

_START: Final = re.compile(rb"^---(?=\s|$)", re.MULTILINE)
_END: Final = re.compile(rb"^\.\.\.(?=\s|$)", re.MULTILINE)
_DIRECTIVE: Final = re.compile(rb"^%[^\n]*\n", re.MULTILINE)
_NOT_PLAIN: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_MARK: Final = b"\xef\xbb\xbf"


def stream_part(member: Member) -> bytes:
    """One document of a stream, headed by what it is. A JSON source becomes its canonical form; what YAML forbids
    or folds in a quoted text is escaped, so that both readers see the same."""
    version = member.version
    head = f"---\n# {version.kind} {version.name} {version.label}\n".encode()
    body = _quoted(dumps(member.document)) if version.media == "json" else _bare(member.source)
    return head + body + (b"" if body.endswith(b"\n") else b"\n")


def _quoted(document: bytes) -> bytes:
    return _NOT_PLAIN.sub(lambda match: f"\\u{ord(match[0]):04x}", document.decode()).encode()


def _bare(source: bytes) -> bytes:
    """A source without byte order mark, directives and markers. A line that begins with three hyphens or dots is
    never part of a value, whatever surrounds it."""
    text = source.removeprefix(_MARK)
    ended = _END.search(text)
    if ended is not None:
        text = text[: ended.start()]
    started = _START.search(text)
    if started is None:
        return text
    return _DIRECTIVE.sub(b"", text[: started.start()]) + text[started.end() :].removeprefix(b"\r").removeprefix(b"\n")
