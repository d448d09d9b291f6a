"""A document as YAML text, made from its tree: for what was turned into our language and never had a text of its own.

Comments of the text that it was made from are put back where the lines they stood beside have gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from millrace.spec.core_schema import resolve
from millrace.spec.source import Node

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./$][A-Za-z0-9_./$@+^~-]*(?: [A-Za-z0-9_./$@+^~(),-]+)*")
_UNPRINTABLE: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


class _Line(Struct):
    text: str
    row: int


class Comment(Struct, frozen=True):
    """``row`` counts from 1; ``beside`` tells that something else stands on the same line."""

    row: int
    text: str
    beside: bool


def write_yaml(root: Node, comments: tuple[Comment, ...] = ()) -> str:
    """The text of a tree of plain JSON values, which reads back as the same value. Every comment is in it once."""
    lines = list(_lines(root, 0))
    head: list[str] = []
    above: dict[int, list[str]] = {}
    first = min((line.row for line in lines), default=0)
    for comment in comments:
        at = _line_for(lines, comment)
        if comment.row < first:
            head.append(comment.text)
        elif comment.beside and at is not None and lines[at].row == comment.row and "  #" not in lines[at].text:
            lines[at].text += f"  {comment.text}"
        else:
            above.setdefault(len(lines) if at is None else at, []).append(comment.text)
    out = list(head)
    for index, line in enumerate(lines):
        indent = line.text[: len(line.text) - len(line.text.lstrip(" "))]
        out += [f"{indent}{text}" for text in above.get(index, ())]
        out.append(line.text)
    out += above.get(len(lines), [])
    return "\n".join(out) + "\n"


def _line_for(lines: list[_Line], comment: Comment) -> int | None:
    """The first line made from what stands on the comment's line, or nearest below it."""
    behind = [(line.row, index) for index, line in enumerate(lines) if line.row >= comment.row]
    return min(behind)[1] if behind else None


def _lines(node: Node, depth: int) -> Iterator[_Line]:
    indent = "  " * depth
    if isinstance(node.value, dict) and node.value:
        for key, child in node.children.items():
            row = node.keys[str(key)][0]
            if _nested(child):
                yield _Line(f"{indent}{_text(str(key))}:", row)
                yield from _lines(child, depth + 1)
            else:
                yield _Line(f"{indent}{_text(str(key))}: {_scalar(child.value)}", row)
    elif isinstance(node.value, list) and node.value:
        for child in node.children.values():
            if not _nested(child):
                yield _Line(f"{indent}- {_scalar(child.value)}", child.at[0])
                continue
            inner = list(_lines(child, depth + 1))
            start = len(indent)
            inner[0].text = f"{inner[0].text[:start]}-{inner[0].text[start + 1 :]}"
            yield from inner
    else:
        yield _Line(indent + _scalar(node.value), node.at[0])


def _nested(node: Node) -> bool:
    return isinstance(node.value, dict | list) and bool(node.value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value) if value == _resolved(value) else _quoted(value)
    return json.dumps(value)


def _resolved(text: str) -> Any:
    """What a plain scalar of this text would mean; None where it could not stand."""
    try:
        return resolve(text) if _PLAIN.fullmatch(text) else None
    except ValueError:
        return None


def _text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in ("---", "...") else _quoted(text)


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def comments_of(text: str) -> tuple[Comment, ...]:
    """The comments of a YAML text that can be parsed, in order."""
    import yaml

    marks: list[tuple[Any, Any]] = [
        (event.start_mark, event.end_mark)
        for event in yaml.parse(text, Loader=yaml.BaseLoader)
        if isinstance(event, yaml.ScalarEvent)
    ]
    spans = [(start.index, end.index) for start, end in marks]
    found: list[Comment] = []
    offset = span = 0
    for row, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
            at = offset + match.start()
            while span < len(spans) and spans[span][1] <= at:
                span += 1
            if span == len(spans) or at < spans[span][0]:
                found.append(Comment(row, line[match.start() :].rstrip(), bool(line[: match.start()].strip())))
                break
        offset += len(line) + 1
    return tuple(found)
