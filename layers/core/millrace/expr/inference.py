"""What kinds of values an expression can have, and where it uses a value in a way that can never work.

Nothing is evaluated. A kind is known from a literal, from an operator, or because ``lookup`` knows what lies at a
path. Only what fails for every value the kinds allow is reported, so that a person who is told something can rely
on it; what may be absent or null is left to other checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final, Literal

from msgspec import Struct

from millrace.expr import nodes
from millrace.expr.expression import Expression
from millrace.expr.paths import ReadPath, Segment, Wild
from millrace.expr.signatures import (
    BOOL,
    DOUBLE,
    FUNCTIONS,
    HELD,
    INT,
    LIST,
    MAP,
    METHODS,
    NULL,
    NUMBER,
    SAME,
    TEXT,
    Kinds,
    worded,
)
from millrace.expr.values import kind

Lookup = Callable[[ReadPath], Kinds | None]
"""The kinds of what lies at a path, None where that is not known."""
_SHOWN: Final = 48
_CONVERT: Final = "Convert it with int(), double() or string(), or read something else."
_COMPARE: Final = "Compare it with something, as in value == 'x' or size(value) > 0."


class Misuse(Struct, frozen=True):
    """``never`` is an operation that always fails, ``constant`` a comparison that always has the same result."""

    sort: Literal["never", "constant"]
    offset: int
    message: str
    fix: str


class Inferred(Struct, frozen=True):
    kinds: Kinds | None
    misuses: tuple[Misuse, ...]


class _Known(Struct, frozen=True):
    """What is known of a value: its kinds, and the path it was read from."""

    kinds: Kinds | None = None
    path: ReadPath | None = None


_UNKNOWN: Final = _Known()


def infer(expression: Expression, lookup: Lookup) -> Inferred:
    """The kinds of an expression's value, None if not known, and its misuses in the order of the source."""
    if expression.tree is None:
        return Inferred(lookup(expression.reads[0].path), ())
    inference = _Inference(expression.source, lookup)
    kinds = inference.of(expression.tree).kinds
    return Inferred(kinds, tuple(sorted(inference.found, key=lambda misuse: misuse.offset)))


class _Inference:
    def __init__(self, source: str, lookup: Lookup) -> None:
        self.found: list[Misuse] = []
        self._source = source
        self._lookup = lookup
        self._variables: dict[int, _Known] = {}

    def of(self, node: nodes.Node) -> _Known:
        return _NODES[type(node)](self, node)

    def _text(self, start: int, end: int) -> str:
        text = self._source[start:end]
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"

    def _never(self, offset: int, message: str, fix: str) -> None:
        self.found.append(Misuse("never", offset, message, fix))

    def _wants(self, node: nodes.Node, wanted: Kinds, what: str, fix: str) -> None:
        """``node`` is an operand of ``what``, which takes nothing but ``wanted``."""
        kinds = self.of(node).kinds
        if kinds is not None and not kinds & wanted:
            text = self._text(node.start, node.end)
            self._never(node.start, f"{what} takes {worded(wanted)}, and {text} is {worded(kinds)}", fix)

    def _at(self, path: ReadPath) -> _Known:
        return _Known(self._lookup(path), path)

    def const(self, node: nodes.Const) -> _Known:
        return _Known(frozenset({kind(node.value)}))

    def root(self, node: nodes.Root) -> _Known:
        return self._at(ReadPath(node.name))

    def var(self, node: nodes.Var) -> _Known:
        return self._variables[node.slot]

    def secret(self, _node: nodes.Secret) -> _Known:
        return _UNKNOWN

    def list_of(self, node: nodes.ListOf) -> _Known:
        for item in node.items:
            self.of(item)
        return _Known(LIST)

    def map_of(self, node: nodes.MapOf) -> _Known:
        for key, value in node.entries:
            self._wants(key, TEXT, "a key", "Make it a text, as in string(key).")
            self.of(value)
        return _Known(MAP)

    def unary(self, node: nodes.Unary) -> _Known:
        inner = list(reversed(node.operators))
        wanted = BOOL if inner[0] == "!" else NUMBER
        self._wants(node.operand, wanted, inner[0], _COMPARE if wanted is BOOL else _CONVERT)
        for before, operator in pairwise(inner):
            if before != operator:
                message = f"{operator} cannot be applied to what {before} gives"
                self._never(node.start, message, "Take one of the operators out.")
        return _Known(BOOL if inner[-1] == "!" else NUMBER)

    def chain(self, node: nodes.Chain) -> _Known:
        left = self.of(node.first).kinds
        for operator, right in node.rest:
            left = self._pair(node, operator, left, right)
        return _Known(left)

    def _pair(self, node: nodes.Chain, operator: str, left: Kinds | None, right: nodes.Node) -> Kinds | None:
        kinds = self.of(right).kinds
        if operator in ("==", "!="):
            self._equality(node, operator, left, kinds, right)
            return BOOL
        if operator == "in":
            return self._membership(node, left, kinds, right)
        families = SAME[operator]
        possible = [family for family in families if _can(left, family) and _can(kinds, family)]
        if not possible:
            sides = [worded(side) for side in (left, kinds) if side is not None]
            message = f"{operator} cannot be applied to {' and '.join(sides)}: {self._text(node.start, right.end)}"
            self._never(node.start, message, _CONVERT)
        if operator in ("<", "<=", ">", ">="):
            return BOOL
        if len(possible) != 1:
            return None
        if possible[0] != NUMBER:
            return possible[0]
        return _number(left, kinds)

    def _equality(
        self, node: nodes.Chain, operator: str, left: Kinds | None, right: Kinds | None, side: nodes.Node
    ) -> None:
        if left is None or right is None or NULL in (left, right):
            return
        if not _widened(left) & _widened(right):
            said = "false" if operator == "==" else "true"
            text = self._text(node.start, side.end)
            message = f"{text} is always {said}: it compares {worded(left)} with {worded(right)}"
            self.found.append(Misuse("constant", node.start, message, _CONVERT))

    def _membership(self, node: nodes.Chain, left: Kinds | None, right: Kinds | None, side: nodes.Node) -> Kinds:
        if right is not None and not right & HELD:
            fix = "For a part of a text write text.contains(part)." if right & TEXT else _CONVERT
            text = self._text(side.start, side.end)
            self._never(side.start, f"in looks into a list or a map, and {text} is {worded(right)}", fix)
        elif right == MAP and left is not None and not left & TEXT:
            message = f"the keys of a map are texts, and this looks for {worded(left)}"
            self.found.append(Misuse("constant", node.start, message, "Look for a text, as in string(key) in map."))
        return BOOL

    def logic(self, node: nodes.Logic) -> _Known:
        for item in node.items:
            self._wants(item, BOOL, node.operator, _COMPARE)
        return _Known(BOOL)

    def coalesce(self, node: nodes.Coalesce) -> _Known:
        *early, last = [self.of(item).kinds for item in node.items]
        return _Known(_union([None if kinds is None else kinds - NULL for kinds in early] + [last]))

    def choice(self, node: nodes.Choice) -> _Known:
        for test, _ in node.branches:
            self._wants(test, BOOL, "?", _COMPARE)
        values = [*(value for _, value in node.branches), node.otherwise]
        return _Known(_union([self.of(value).kinds for value in values]))

    def call(self, node: nodes.Call) -> _Known:
        if node.name not in FUNCTIONS:  # dyn, by which an author says that the kind is not to be judged
            self.of(node.args[0])
            return _UNKNOWN
        takes, gives = FUNCTIONS[node.name]
        for argument, wanted in zip(node.args, takes, strict=True):
            self._wants(argument, wanted, f"{node.name}()", _CONVERT)
        return _Known(gives)

    def has(self, node: nodes.Has) -> _Known:
        known = self._steps(self.of(node.target.base), node.target.steps[:-1], node.target.start)
        if isinstance(node.last, nodes.Index):
            self.of(node.last.key)
        if known.kinds is not None and not known.kinds & HELD:
            message = f"has() asks for a field of a map, and this is read from {worded(known.kinds)}"
            self._never(node.start, message, "Ask for a field of something that has fields.")
        return _Known(BOOL)

    def access(self, node: nodes.Access) -> _Known:
        return self._steps(self.of(node.base), node.steps, node.start)

    def _steps(self, known: _Known, steps: Iterable[nodes.AnyStep], start: int) -> _Known:
        safe = False
        for step in steps:
            safe = safe or step.safe
            at = self._text(start, step.start).rstrip("?.[")
            known = _STEPS[type(step)](self, known, step, at)
        return _Known(known.kinds | NULL, known.path) if safe and known.kinds is not None else known

    def _field(self, known: _Known, step: nodes.Field, at: str) -> _Known:
        if known.path is not None:
            return self._at(ReadPath(known.path.root, (*known.path.segments, step.name)))
        if known.kinds is not None and not known.kinds & (MAP | NULL):
            message = f"{step.name} cannot be read: {at} is {worded(known.kinds)}"
            self._never(step.start, message, "Read a field of a map.")
        return _UNKNOWN

    def _index(self, known: _Known, step: nodes.Index, at: str) -> _Known:
        key, kinds = self.of(step.key).kinds, known.kinds
        if kinds is not None:
            if kinds == LIST and key is not None and not key & NUMBER:
                message = f"a list is read by position, and {at} by {worded(key)}"
                self._never(step.start, message, "Use a position, as in [0].")
            elif kinds == MAP and key is not None and not key & TEXT:
                self._never(step.start, f"a map is read by a text, and {at} by {worded(key)}", "Use string(key).")
            elif known.path is None and not kinds & (HELD | NULL):
                fix = "For one character write text.charAt(position)." if kinds & TEXT else "Read from a list or map."
                self._never(step.start, f"nothing can be read from {at}: it is {worded(kinds)}", fix)
        if known.path is None:
            return _UNKNOWN
        return self._at(ReadPath(known.path.root, (*known.path.segments, _segment(step.key))))

    def _method(self, known: _Known, step: nodes.Method, at: str) -> _Known:
        (receiver, *takes), gives = METHODS[step.name]
        if step.name == "includes" and known.kinds == TEXT:
            takes = [TEXT]
        if known.kinds is not None and not known.kinds & receiver:
            fix = f"Convert it first, as in string({at}).{step.name}(…)." if receiver == TEXT else _CONVERT
            message = f".{step.name}() works on {worded(receiver)}, and {at} is {worded(known.kinds)}"
            self._never(step.start, message, fix)
        for argument, wanted in zip(step.args, takes, strict=False):
            self._wants(argument, wanted, f".{step.name}()", _CONVERT)
        return _Known(gives)

    def _macro(self, known: _Known, step: nodes.Macro, at: str) -> _Known:
        kinds = known.kinds
        if kinds is not None and not kinds & HELD:
            message = f".{step.name}() goes through a list or a map, and {at} is {worded(kinds)}"
            self._never(step.start, message, "Give it a list.")
        entry = _UNKNOWN
        if kinds == MAP:
            entry = _Known(TEXT)
        elif kinds == LIST and known.path is not None:
            entry = self._at(ReadPath(known.path.root, (*known.path.segments, Wild.ANY)))
        self._variables[step.slot] = entry
        if step.test is not None:
            self._wants(step.test, BOOL, f".{step.name}()", _COMPARE)
        if step.name == "map":
            self.of(step.body)
            return _Known(LIST)
        self._wants(step.body, BOOL, f".{step.name}()", _COMPARE)
        return _Known(LIST if step.name == "filter" else BOOL)


def _can(kinds: Kinds | None, family: Kinds) -> bool:
    return kinds is None or bool(kinds & family)


def _widened(kinds: Kinds) -> Kinds:
    return kinds | NUMBER if kinds & NUMBER else kinds


def _number(left: Kinds | None, right: Kinds | None) -> Kinds:
    """The kinds of a sum: an int of ints, a double as soon as one side surely is."""
    sides = [NUMBER if kinds is None else kinds & NUMBER for kinds in (left, right)]
    if DOUBLE in sides:
        return DOUBLE
    return INT if sides == [INT, INT] else NUMBER


def _union(parts: Iterable[Kinds | None]) -> Kinds | None:
    found: Kinds = frozenset()
    for kinds in parts:
        if kinds is None:
            return None
        found |= kinds
    return found


def _segment(key: nodes.Node) -> Segment:
    value = key.value if isinstance(key, nodes.Const) else None
    if isinstance(value, str):
        return value
    return value if isinstance(value, int) and not isinstance(value, bool) else Wild.ANY


_NODES: Final[dict[type, Callable[[_Inference, Any], _Known]]] = {
    nodes.Const: _Inference.const,
    nodes.Root: _Inference.root,
    nodes.Var: _Inference.var,
    nodes.Secret: _Inference.secret,
    nodes.ListOf: _Inference.list_of,
    nodes.MapOf: _Inference.map_of,
    nodes.Unary: _Inference.unary,
    nodes.Chain: _Inference.chain,
    nodes.Logic: _Inference.logic,
    nodes.Coalesce: _Inference.coalesce,
    nodes.Choice: _Inference.choice,
    nodes.Call: _Inference.call,
    nodes.Has: _Inference.has,
    nodes.Access: _Inference.access,
}
_STEPS: Final[dict[type, Callable[[_Inference, _Known, Any, str], _Known]]] = {
    nodes.Field: _Inference._field,
    nodes.Index: _Inference._index,
    nodes.Method: _Inference._method,
    nodes.Macro: _Inference._macro,
}
