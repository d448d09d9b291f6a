"""YAML 1.2 into nodes, from the parser's events, so that no limit can be passed before it is checked.

Loading through the parser's own constructor would follow YAML 1.1, expand aliases without bound and, in its C
form, overflow the stack on deep nesting. Reading events keeps the stack in our hands.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from millrace.base.limits import DOCUMENT_ALIASES, DOCUMENT_DEPTH, DOCUMENT_NODES
from millrace.spec.core_schema import leading_zero, resolve
from millrace.spec.findings import Finding, Path
from millrace.spec.source import Node, Position, unreadable

_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_CORE: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {"str", "int", "float", "bool", "null"}


def read_yaml(text: str, *, several: bool) -> tuple[list[Node], tuple[Finding, ...]]:
    """The root nodes of a stream and the warnings about its scalars. Raises Unreadable."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
            if len(builder.roots) > 1 and not several:
                raise unreadable(
                    "multiple-documents",
                    "more than one document",
                    builder.roots[1].at,
                    "Send one document at a time, without a second ---.",
                )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ": ".join(part for part in (error.context, error.problem) if part)
        at = _at(mark)
        raise unreadable("syntax", f"not valid YAML: {said}", at, _syntax_fix(text, at[0])) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise unreadable("syntax", f"not valid YAML: {error.reason}", at, "Take the character out.") from None
    if not builder.roots:
        raise unreadable("empty-document", "the document is empty", (1, 1), "Write a workflow or a task.")
    return builder.roots, tuple(builder.notes)


def _at(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1)


def _syntax_fix(text: str, row: int) -> str:
    """What to do about text that cannot be parsed up to a line; the parser does not say that a tab is what it met."""
    line = "".join(text.split("\n")[row - 1 : row])
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "Indent with spaces: YAML takes no tab there."
    return "Correct the YAML."


class _Open:
    """A collection that is being read. ``key`` is the key whose value comes next."""

    __slots__ = ("anchor", "key", "key_at", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node, self.anchor = node, anchor
        self.key: str | None = None
        self.key_at: Position = node.at


class _Builder:
    def __init__(self) -> None:
        self.roots: list[Node] = []
        self.notes: list[Finding] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._aliases = 0
        self._nodes = 0

    def take(self, event: Any) -> None:
        at = _at(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, at)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), at)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(event, at, {}, "map")
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(event, at, [], "seq")
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._stack.pop()
            if done.anchor:
                self._anchors[done.anchor] = done.node
            self._place(done.node)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()
            if event.version and tuple(event.version) != (1, 2):
                raise unreadable("syntax", "only YAML 1.2 is read", at, "Take the %YAML directive out.")

    def _scalar(self, event: Any, at: Position) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            self._key(top, event, at)
            return
        node = Node(self._value(event, at), at)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._count(1, at)
        self._place(node)

    def _key(self, top: _Open, event: Any, at: Position) -> None:
        """A key is its text, whatever the text would be as a value: ``on``, ``200`` and ``null`` are names."""
        key = event.value
        if key == "<<" and event.implicit[0]:
            raise unreadable(
                "merge-key", "the merge key << is not part of YAML 1.2", at, "Write the keys out where they are used."
            )
        self._check_tag(event.tag, _SCALARS, at)
        if key in top.node.value:
            line, column = top.node.keys[key]
            raise unreadable(
                "duplicate-key",
                f'the key "{key}" is given twice; first at line {line}, column {column}',
                at,
                "Keep one of them.",
            )
        if event.anchor:
            self._anchors[event.anchor] = Node(key, at)
        top.key, top.key_at = key, at

    def _value(self, event: Any, at: Position) -> Any:
        self._check_tag(event.tag, _SCALARS, at)
        text = event.value
        tag = (event.tag or "").removeprefix(_CORE)
        if tag in ("str", "!") or (not tag and not event.implicit[0]):
            return text
        try:
            value = resolve(text)
        except ValueError as error:
            raise unreadable("bad-number", str(error), at, "Write it as quoted text, or use another value.") from None
        if tag:
            return self._tagged(value, tag, at)
        if leading_zero(text):
            fix = f'Write "{text}" in quotes to keep it as text, or {value} for the number.'
            self.notes.append(
                Finding("leading-zero", "warning", f"{text} is the number {value}", self._path(), *at, fix)
            )
        return value

    def _tagged(self, value: Any, tag: str, at: Position) -> Any:
        names = {"null": "NoneType"}
        if tag == "float" and type(value) is int:
            return float(value)
        if type(value).__name__ != names.get(tag, tag):
            raise unreadable("tag", f"the value is not a !!{tag}", at, "Take the tag out.")
        return value

    def _check_tag(self, tag: str | None, allowed: set[str], at: Position) -> None:
        if tag in (None, "!"):
            return
        name = (tag or "").removeprefix(_CORE)
        if not (tag or "").startswith(_CORE) or name not in allowed:
            raise unreadable("tag", f"the tag {tag} is not allowed here", at, "Take the tag out.")

    def _open(self, event: Any, at: Position, empty: Any, tag: str) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node.value, dict) and top.key is None:
            raise unreadable("key-not-text", "a key must be text", at, "Use text as the key.")
        self._check_tag(event.tag, {tag}, at)
        if len(self._stack) >= DOCUMENT_DEPTH:
            raise unreadable("too-deep", f"nested deeper than {DOCUMENT_DEPTH} levels", at, "Flatten the document.")
        self._count(1, at)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(Node(empty, at, height=1), event.anchor))

    def _alias(self, anchor: str, at: Position) -> None:
        if anchor not in self._anchors:
            raise unreadable("syntax", f"the alias *{anchor} names nothing", at, "Define the anchor before its use.")
        node = self._anchors[anchor]
        if node is None:
            raise unreadable("cyclic-alias", f"the alias *{anchor} stands inside &{anchor}", at, "Write it out.")
        self._aliases += 1
        if self._aliases > DOCUMENT_ALIASES:
            raise unreadable("alias-limit", f"more than {DOCUMENT_ALIASES} aliases", at, "Write the values out.")
        if len(self._stack) + node.height > DOCUMENT_DEPTH:
            raise unreadable("too-deep", f"nested deeper than {DOCUMENT_DEPTH} levels", at, "Flatten the document.")
        top = self._stack[-1]
        if isinstance(top.node.value, dict) and top.key is None:
            raise unreadable("key-not-text", "a key must not be an alias", at, "Write the key out.")
        self._count(node.size, at)
        self._place(node)

    def _count(self, nodes: int, at: Position) -> None:
        self._nodes += nodes
        if self._nodes > DOCUMENT_NODES:
            raise unreadable(
                "too-many-nodes", f"more than {DOCUMENT_NODES} values, aliases expanded", at, "Send a smaller document."
            )

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.roots.append(node)
            return
        top = self._stack[-1]
        parent = top.node
        part: str | int
        if top.key is None:
            part = len(parent.value)
            parent.value.append(node.value)
        else:
            part = top.key
            parent.value[part] = node.value
            parent.keys[part] = top.key_at
            top.key = None
        parent.children[part] = node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)

    def _path(self) -> Path:
        return tuple(len(o.node.value) if o.key is None else o.key for o in self._stack)
