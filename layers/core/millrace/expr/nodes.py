"""The syntax tree. Chains of one operator are one node, so depth is nesting, not length.

``depth`` is the nesting below a node and ``cost`` the number of nodes in it; the parser keeps both, and what is too
deep is never built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Node:
    start: int
    end: int
    depth: int = field(default=1, kw_only=True)
    cost: int = field(default=1, kw_only=True)


@dataclass(slots=True)
class Const(Node):
    value: Any


@dataclass(slots=True)
class Root(Node):
    name: str


@dataclass(slots=True)
class Var(Node):
    """A macro's variable; ``slot`` is its place in the frame."""

    name: str
    slot: int


@dataclass(slots=True)
class Secret(Node):
    name: str


@dataclass(slots=True)
class ListOf(Node):
    items: list[Node]


@dataclass(slots=True)
class MapOf(Node):
    entries: list[tuple[Node, Node]]


@dataclass(slots=True)
class Unary(Node):
    """``operators`` from the outside in, each ``!`` or ``-``."""

    operators: list[str]
    operand: Node


@dataclass(slots=True)
class Chain(Node):
    """Left to right: arithmetic of one precedence, or relations. ``rest`` pairs an operator with its right side."""

    first: Node
    rest: list[tuple[str, Node]]


@dataclass(slots=True)
class Logic(Node):
    """``operator`` is ``&&`` or ``||``."""

    operator: str
    items: list[Node]


@dataclass(slots=True)
class Coalesce(Node):
    items: list[Node]


@dataclass(slots=True)
class Choice(Node):
    """``a ? b : c ? d : e`` is two branches and an ``otherwise``."""

    branches: list[tuple[Node, Node]]
    otherwise: Node


@dataclass(slots=True)
class Call(Node):
    name: str
    args: list[Node]


@dataclass(slots=True)
class Has(Node):
    """``last`` is the field that is asked for, in what the rest of ``target`` gives."""

    target: Access
    last: Field | Index


@dataclass(slots=True)
class Step:
    start: int
    end: int
    safe: bool


@dataclass(slots=True)
class Field(Step):
    name: str


@dataclass(slots=True)
class Index(Step):
    key: Node


@dataclass(slots=True)
class Method(Step):
    name: str
    args: list[Node]


@dataclass(slots=True)
class Macro(Step):
    """``test`` is the filter of the three-argument `map`, else None."""

    name: str
    slot: int
    test: Node | None
    body: Node


AnyStep = Field | Index | Method | Macro


@dataclass(slots=True)
class Access(Node):
    base: Node
    steps: list[AnyStep]
