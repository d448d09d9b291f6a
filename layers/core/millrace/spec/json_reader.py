"""JSON into nodes: the canonical layer judges the text, and a second pass notes where everything stands."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from millrace.base.canonical import parse_json
from millrace.base.errors import InvalidRequest
from millrace.base.limits import DOCUMENT_DEPTH, DOCUMENT_NODES
from millrace.spec.source import Node, unreadable

_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}:]|[^\s\[\]{},:"]+|\n', re.DOTALL)
_CODES: Final = (("given twice", "duplicate-key"), ("deeper", "too-deep"), ("digits", "bad-number"))
_MORE_CODES: Final = (("does not fit", "bad-number"), ("is not a JSON number", "bad-number"))

_NOT_JSON: Final = (
    "The text was read as JSON. For YAML send the header content-type: application/yaml, or name the file .yaml."
)


def read_json(text: str) -> Node:
    """The root node. Raises Unreadable."""
    if not text.strip():
        raise unreadable("empty-document", "the document is empty", (1, 1), "Write a workflow or a task.")
    try:
        value = parse_json(text, depth=DOCUMENT_DEPTH)
    except InvalidRequest as error:
        code = next((code for words, code in _CODES + _MORE_CODES if words in error.message), "syntax")
        message = error.message.rpartition(" (line")[0]
        fix = error.hint if text.lstrip()[:1] in ("{", "[", '"') or code != "syntax" else _NOT_JSON
        raise unreadable(code, message, (error.facts["line"], error.facts["column"]), fix) from None
    return _Positions(text).root(value)


class _Positions:
    """Walks the tokens of a text that is known to be valid beside the value it was read into."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.finditer(text)
        self._line, self._line_start = 1, 0
        self._nodes = 0

    def root(self, value: Any) -> Node:
        word, at = self._next()
        return self._node(value, word, at)

    def _next(self) -> tuple[str, tuple[int, int]]:
        while (match := next(self._tokens)).group() == "\n":
            self._line, self._line_start = self._line + 1, match.end()
        return match.group(), (self._line, match.start() - self._line_start + 1)

    def _node(self, value: Any, word: str, at: tuple[int, int]) -> Node:
        self._nodes += 1
        if self._nodes > DOCUMENT_NODES:
            raise unreadable("too-many-nodes", f"more than {DOCUMENT_NODES} values", at, "Send a smaller document.")
        node = Node(value, at)
        if word == "{":
            word, at = self._next()
            while word != "}":
                key = json.loads(word)
                node.keys[key] = at
                self._next()
                self._child(node, key, *self._next())
                word, at = self._next()
        elif word == "[":
            word, at = self._next()
            while word != "]":
                self._child(node, len(node.children), word, at)
                word, at = self._next()
        return node

    def _child(self, node: Node, key: Any, word: str, at: tuple[int, int]) -> None:
        child = self._node(node.value[key], word, at)
        node.children[key] = child
        node.size += child.size
        node.height = max(node.height, child.height + 1)
