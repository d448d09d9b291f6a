"""A document as its author wrote it: the value, and where every part of it stands.

YAML and JSON end up in the same tree, so everything after this module is the same for both.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from millrace.base.errors import InvalidDocument
from millrace.base.limits import DOCUMENT_BYTES
from millrace.spec.findings import Finding, Path

Media = Literal["yaml", "json"]
Position = tuple[int, int]


class Unreadable(Exception):
    """The document cannot be read at all; carries the one finding that says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def unreadable(code: str, message: str, at: Position, fix: str) -> Unreadable:
    return Unreadable(Finding(code, "error", message, (), *at, fix))


class Node(Struct):
    """One value with its position (line and column from 1) and those of its keys and children.

    ``size`` counts values and ``height`` levels, aliases expanded.
    """

    value: Any
    at: Position
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    size: int = 1
    height: int = 0


class Source(Struct, frozen=True):
    """A document that was read. ``value`` is plain JSON data and must not be changed (aliases share parts of it)."""

    text: str
    media: Media
    root: Node
    notes: tuple[Finding, ...] = ()

    @property
    def value(self) -> Any:
        return self.root.value

    def position(self, path: Path) -> Position:
        """Line and column of the value at ``path``, or of the nearest thing above it that exists."""
        node, _ = self._walk(path)
        return node.at

    def key_position(self, path: Path) -> Position:
        """Line and column of the key that ``path`` ends in; of the value where the last step is an index."""
        parent, missing = self._walk(path[:-1])
        if missing or not path:
            return parent.at
        last = path[-1]
        if last in parent.keys:
            return parent.keys[str(last)]
        return parent.children[last].at if last in parent.children else parent.at

    def at(self, path: Path) -> Any:
        """The value at a path that is there."""
        found = self.value
        for part in path:
            found = found[part]
        return found

    def _walk(self, path: Path) -> tuple[Node, bool]:
        node = self.root
        for part in path:
            child = node.children.get(part)
            if child is None:
                return node, True
            node = child
        return node, False


def read_document(data: bytes, *, media: Media) -> Source:
    """The one document in ``data``. Raises Unreadable."""
    text = _decode(data)
    if media == "json":
        from millrace.spec.json_reader import read_json

        return Source(text, media, read_json(text))
    from millrace.spec.yaml_reader import read_yaml

    roots, notes = read_yaml(text, several=False)
    return Source(text, media, roots[0], notes)


def parse_document(data: bytes, *, media: Media) -> Source:
    """The one document in ``data``, at most 256 KiB.

    Raises InvalidDocument whose ``facts['findings']`` holds the finding that says why it cannot be read.
    """
    try:
        return read_document(data, media=media)
    except Unreadable as error:
        raise _invalid(error) from None


def parse_documents(data: bytes) -> tuple[Source, ...]:
    """The documents of one YAML stream, separated by ``---``; positions count from the start of the stream.

    Raises InvalidDocument as `parse_document` does. The limits hold for the stream as a whole.
    """
    from millrace.spec.yaml_reader import read_yaml

    try:
        text = _decode(data)
        roots, notes = read_yaml(text, several=True)
    except Unreadable as error:
        raise _invalid(error) from None
    return tuple(Source(text, "yaml", root, notes if index == 0 else ()) for index, root in enumerate(roots))


def _invalid(error: Unreadable) -> InvalidDocument:
    finding = error.finding
    return InvalidDocument(
        f"{finding.message} (line {finding.line}, column {finding.column})",
        hint=finding.fix,
        facts={"findings": [finding.to_json()]},
    )


def _decode(data: bytes) -> str:
    if len(data) > DOCUMENT_BYTES:
        raise unreadable(
            "too-large",
            f"the document has {len(data)} bytes, more than {DOCUMENT_BYTES}",
            (1, 1),
            "Move parts into reusable tasks, or data out of the document.",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        at = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise unreadable(
            "encoding", f"byte 0x{data[error.start]:02x} is not valid UTF-8", at, "Save the document as UTF-8."
        ) from None
    return text.removeprefix("\ufeff")
