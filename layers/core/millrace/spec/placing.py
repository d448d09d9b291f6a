"""From an offset inside a text of the document to its line and column."""

from __future__ import annotations

from functools import lru_cache

from millrace.spec.findings import Path
from millrace.spec.source import Position, Source


def place(source: Source, path: Path, text: str, offset: int) -> Position:
    """Where character ``offset`` of the text at ``path`` stands, exactly where the text is written as it is, else
    where it begins (escapes and folded lines move characters)."""
    line, column = source.position(path)
    lines = _lines(source.text)
    raw = "".join(lines[line - 1 : line])[column - 1 :]
    quote = 1 if raw[:1] in ("'", '"') else 0
    before = text[:offset]
    if "\n" not in before and raw[quote:].startswith(before):
        return line, column + quote + offset
    if raw[:1] == "|":
        row = line + before.count("\n") + 1
        tail = before.rpartition("\n")[2]
        shown = "".join(lines[row - 1 : row])
        indent = len(shown) - len(shown.lstrip(" "))
        if shown[indent:].startswith(tail):
            return row, indent + len(tail) + 1
    return line, column


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    return text.splitlines()
