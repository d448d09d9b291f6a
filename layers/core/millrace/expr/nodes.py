"""The syntax tree. Chains of one operator are one node, so depth is nesting, not length.

``depth`` is the nesting below a node and ``cost`` the number of nodes in it; the parser keeps both, and what is too
deep is never built.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Span(Struct):
    """Where in the text it stands."""

    start: int
    end: int


class Node(Span, kw_only=True):
    depth: int = 1
    cost: int = 1


class Const(Node):
    value: Any


class Root(Node):
    name: str


class Var(Node):
    """A macro's variable; ``slot`` is its place in the frame."""

    name: str
    slot: int


class Secret(Node):
    name: str


class ListOf(Node):
    items: list[Node]


class MapOf(Node):
    entries: list[tuple[Node, Node]]


class Unary(Node):
    """``operators`` from the outside in, each ``!`` or ``-``."""

    operators: list[str]
    operand: Node


class Chain(Node):
    """Left to right: arithmetic of one precedence, or relations. ``rest`` pairs an operator with its right side."""

    first: Node
    rest: list[tuple[str, Node]]


class Logic(Node):
    """``operator`` is ``&&`` or ``||``."""

    operator: str
    items: list[Node]


class Coalesce(Node):
    items: list[Node]


class Choice(Node):
    """``a ? b : c ? d : e`` is two branches and an ``otherwise``."""

    branches: list[tuple[Node, Node]]
    otherwise: Node


class Call(Node):
    name: str
    args: list[Node]


class Has(Node):
    """``last`` is the field that is asked for, in what the rest of ``target`` gives."""

    target: Access
    last: Field | Index


class Step(Struct):
    start: int
    end: int
    safe: bool


class Field(Step):
    name: str


class Index(Step):
    key: Node


class Method(Step):
    name: str
    args: list[Node]


class Macro(Step):
    """``test`` is the filter of the three-argument `map`, else None."""

    name: str
    slot: int
    test: Node | None
    body: Node


AnyStep = Field | Index | Method | Macro


class Access(Node):
    base: Node
    steps: list[AnyStep]
