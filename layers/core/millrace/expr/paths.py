"""Which data an expression reads: the one analysis that dependencies, types, the optimiser and PII tracking share.

Every node is followed to the places its value may come from. A place becomes a *read* where the value is used:
compared, returned, handed to a function. So ``input.user.name == 'x'`` reads ``input.user.name`` and not
``input.user``; ``input.rows.filter(r, r.ok)`` reads ``input.rows.*``. The law that tests hold it to: changing data
that lies neither above, at nor below a read path changes no result.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from millrace.expr import nodes
from millrace.expr.nodes import Node


class Wild(Enum):
    """A key or position that is not known before evaluation."""

    ANY = "*"

    def __repr__(self) -> str:
        return "*"


Segment = str | int | Wild


class ReadPath(Struct, frozen=True):
    """A root name and the keys and positions below it."""

    root: str
    segments: tuple[Segment, ...] = ()

    def __str__(self) -> str:
        text = self.root
        for segment in self.segments:
            if isinstance(segment, str):
                text += f".{segment}" if segment.replace("-", "_").isidentifier() else f'["{segment}"]'
            else:
                text += f"[{segment}]" if isinstance(segment, int) else "[*]"
        return text


class Read(Struct, frozen=True):
    """A read path where it stands in the source. ``tolerated`` are the indexes of the segments (-1: the root) whose
    absence is no error there, because of ``has``, ``?.`` or ``??``."""

    path: ReadPath
    offset: int
    length: int
    tolerated: frozenset[int] = frozenset()

    @property
    def guarded(self) -> bool:
        return bool(self.tolerated)


class Origin(Struct, frozen=True):
    """Where a value may come from: the place itself, or (``each``) a list made of the values at the place."""

    read: Read
    each: bool = False


Origins = tuple[Origin, ...]
_NONE: Final[Origins] = ()
_SHAPE_ONLY: Final = "size"


class PathAnalysis:
    """Collects the reads of one tree."""

    def __init__(self) -> None:
        self.reads: dict[Read, None] = {}
        self._variables: dict[int, Origins] = {}
        self._fallbacks = 0
        """How many ``??`` and ``?.`` around take another value where something is not there."""

    def run(self, node: Node) -> tuple[Read, ...]:
        self._use(self._follow(node))
        return tuple(self.reads)

    def _use(self, origins: Origins) -> None:
        for origin in origins:
            self.reads[_tolerant(origin).read if self._fallbacks else origin.read] = None

    def _consume(self, *operands: Node) -> Origins:
        for operand in operands:
            self._use(self._follow(operand))
        return _NONE

    def _follow(self, node: Node) -> Origins:
        if isinstance(node, nodes.Root):
            return (Origin(Read(ReadPath(node.name), node.start, node.end - node.start)),)
        if isinstance(node, nodes.Var):
            return self._variables[node.slot]
        if isinstance(node, nodes.Secret):
            return (Origin(Read(ReadPath("secrets", (node.name,)), node.start, node.end - node.start)),)
        if isinstance(node, nodes.Access):
            return self._access(node)
        if isinstance(node, nodes.Coalesce):
            self._fallbacks += 1
            early = [_tolerant(origin) for item in node.items[:-1] for origin in self._follow(item)]
            self._fallbacks -= 1
            return (*early, *self._follow(node.items[-1]))
        if isinstance(node, nodes.Choice):
            values: list[Origin] = []
            for test, value in node.branches:
                self._consume(test)
                values.extend(self._follow(value))
            return (*values, *self._follow(node.otherwise))
        if isinstance(node, nodes.Has):
            return self._has(node)
        if isinstance(node, nodes.Call):
            if node.name == _SHAPE_ONLY:
                self._use_shape(self._follow(node.args[0]))
                return _NONE
            return self._consume(*node.args)
        return self._consume(*_operands(node))

    def _has(self, node: nodes.Has) -> Origins:
        for origin in self._access(node.target):
            last = len(origin.read.path.segments) - 1
            self._use((replace(origin, read=replace(origin.read, tolerated=origin.read.tolerated | {last})),))
        return _NONE

    def _use_shape(self, origins: Origins) -> None:
        """The number of items of a list that a filter made hangs on what the filter has read already."""
        for origin in origins:
            entry = origin.read.path
            if not origin.each or entry.segments[-1:] != (Wild.ANY,) or not self._seen(entry):
                self._use((origin,))

    def _access(self, node: nodes.Access) -> Origins:
        safe = sum(step.safe for step in node.steps)
        self._fallbacks += safe
        origins = self._follow(node.base)
        for step in node.steps:
            if step.safe:
                self._fallbacks -= 1
                origins = tuple(_tolerant(origin) for origin in origins)
            if isinstance(step, nodes.Field):
                origins = self._below(origins, step.name, step)
            elif isinstance(step, nodes.Index):
                origins = self._below(origins, self._segment(step.key), step)
            elif isinstance(step, nodes.Method):
                if step.name == _SHAPE_ONLY:
                    self._use_shape(origins)
                else:
                    self._use(origins)
                origins = self._consume(*step.args)
            else:
                origins = self._macro(step, origins)
        return origins

    def _segment(self, key: Node) -> Segment:
        if isinstance(key, nodes.Const) and type(key.value) in {str, int}:
            return str(key.value) if type(key.value) is str else int(key.value)
        self._consume(key)
        return Wild.ANY

    def _below(self, origins: Origins, segment: Segment, step: nodes.Step) -> Origins:
        found = []
        for origin in origins:
            if origin.each:
                found.append(replace(origin, each=False))
                continue
            read = origin.read
            path = ReadPath(read.path.root, (*read.path.segments, segment))
            tolerated = read.tolerated | {len(read.path.segments)} if step.safe else read.tolerated
            length = max(read.length, step.end - read.offset)
            found.append(Origin(Read(path, read.offset, length, tolerated)))
        return tuple(found)

    def _macro(self, step: nodes.Macro, origins: Origins) -> Origins:
        entries = tuple(
            replace(origin, each=False) if origin.each else Origin(replace(origin.read, path=_entry(origin.read.path)))
            for origin in origins
        )
        self._variables[step.slot] = entries
        if step.test is not None:
            self._consume(step.test)
        made: Origins = _NONE
        if step.name == "map":
            body = self._follow(step.body)
            self._use(tuple(origin for origin in body if origin.each))
            made = tuple(replace(origin, each=True) for origin in body if not origin.each)
            self._keep_shape(origins, entries, made)
            return made
        self._consume(step.body)
        self._keep_shape(origins, entries, _NONE)
        if step.name == "filter":
            return tuple(replace(entry, each=True) for entry in entries)
        return _NONE

    def _keep_shape(self, origins: Origins, entries: Origins, made: Origins) -> None:
        """Reads the list itself unless something below each of its items is read or about to be."""
        coming = [origin.read.path for origin in made]
        for origin, entry in zip(origins, entries, strict=True):
            path = entry.read.path
            if not self._seen(path) and not any(_at_or_below(one, path) for one in coming):
                self._use((origin,))

    def _seen(self, path: ReadPath) -> bool:
        return any(_at_or_below(read.path, path) for read in self.reads)


def _at_or_below(path: ReadPath, above: ReadPath) -> bool:
    return path.root == above.root and path.segments[: len(above.segments)] == above.segments


def _entry(path: ReadPath) -> ReadPath:
    return ReadPath(path.root, (*path.segments, Wild.ANY))


def _tolerant(origin: Origin) -> Origin:
    """The same origin with nothing on its way that must be there."""
    read = origin.read
    return replace(origin, read=replace(read, tolerated=frozenset(range(-1, len(read.path.segments)))))


def _operands(node: Node) -> list[Node]:
    """The parts of a node whose value is made from them, not one of them."""
    if isinstance(node, nodes.Unary):
        return [node.operand]
    if isinstance(node, nodes.Chain):
        return [node.first, *(right for _, right in node.rest)]
    if isinstance(node, nodes.Logic | nodes.ListOf):
        return node.items
    if isinstance(node, nodes.MapOf):
        return [part for entry in node.entries for part in entry]
    return []
