"""A compiled expression: what it reads, what is odd about it, and how to evaluate it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.base.limits import EXPRESSION_CHARS
from millrace.expr import nodes
from millrace.expr.closures import Compiler
from millrace.expr.faults import Site, explained
from millrace.expr.frame import Frame, Run
from millrace.expr.fuel import Fuel
from millrace.expr.notes import Note
from millrace.expr.parser import Parser
from millrace.expr.paths import PathAnalysis, Read, ReadPath
from millrace.expr.scope import Scope
from millrace.expr.tokens import skip_space
from millrace.expr.values import check_size, described, kind

CACHED: Final = 4_096


class Expression:
    """Immutable once made, and safe to share between threads.

    ``source`` is the text it stands in, ``offset`` and ``length`` where. ``reads`` are its reads with positions;
    ``paths`` the same without them; ``guarded_paths`` those whose absence is no error at any place they are read.
    ``tree`` is its syntax, None for a plain path, of which ``reads`` say as much. ``warnings`` are `Note`\\ s.
    ``cost`` is the steps one evaluation takes, loops not counted.
    """

    __slots__ = (
        "_builds",
        "_site",
        "constant",
        "cost",
        "guarded_paths",
        "length",
        "offset",
        "paths",
        "reads",
        "run",
        "slots",
        "source",
        "tree",
        "warnings",
    )

    def __init__(self, parser: Parser, node: nodes.Node) -> None:
        compiler = Compiler(parser.source)
        self.source = parser.source
        self.offset = node.start
        self.length = node.end - node.start
        self.run: Run = compiler.compile(node)
        self.constant = compiler.is_constant(self.run)
        self.cost = node.cost
        self.slots = parser.slots
        self.warnings: tuple[Note, ...] = tuple(parser.notes)
        self.reads: tuple[Read, ...] = PathAnalysis().run(node)
        self.paths: frozenset[ReadPath] = frozenset(read.path for read in self.reads)
        strict = frozenset(read.path for read in self.reads if not read.guarded)
        self.guarded_paths: frozenset[ReadPath] = self.paths - strict
        self._site = Site(self.source, self.offset, self.length)
        self._builds = not _only_reads(node)
        self.tree = None if _is_path(node) else node

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @property
    def text(self) -> str:
        """The expression itself, without what stands around it."""
        return self._site.text

    @property
    def site(self) -> Site:
        return self._site

    def evaluate(self, env: Mapping[str, Any], *, fuel: Fuel | None = None) -> Any:
        """The value over the data in ``env``, by root name. Raises ExpressionError and nothing else.

        Without ``fuel``, the limits of one expression apply (`millrace.base.limits`). A result may share parts with
        the data: values are never changed in place.
        """
        try:
            return self.value_in(Frame(env, Fuel() if fuel is None else fuel, self.slots))
        except ExpressionError as error:
            raise explained(error) from None

    def value_in(self, frame: Frame) -> Any:
        """`evaluate` in a frame that the caller keeps for many evaluations; it needs ``slots`` slots.

        The caller completes what it lets out by `millrace.expr.faults.explained`.
        """
        fuel = frame.fuel
        fuel.steps -= self.cost
        if fuel.steps < 0:
            fuel.spend(0, self._site)
        value = self.run(frame)
        if self._builds and kind(value) in {"list", "map"}:
            fuel.grow(check_size(value, fuel.output, self._site), self._site)
        return value


def _only_reads(node: nodes.Node) -> bool:
    """Whether a container this node gives is one that was there before."""
    if isinstance(node, nodes.Access):
        return isinstance(node.base, nodes.Root | nodes.Var) and not any(
            isinstance(step, nodes.Method | nodes.Macro) for step in node.steps
        )
    return isinstance(node, nodes.Root | nodes.Const | nodes.Secret | nodes.Logic | nodes.Has | nodes.Unary)


def _is_path(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Access):
        return isinstance(node.base, nodes.Root) and all(
            isinstance(step, nodes.Field) and not step.safe for step in node.steps
        )
    return isinstance(node, nodes.Root)


def compile_expression(source: str, *, scope: Scope | None = None) -> Expression:
    """Compiles a bare expression, or one wholly in ``{{ }}``, which a `Note` (``braces``) reports.

    Without a scope every leading name is a root. Raises ExpressionError, whose facts are listed in
    `millrace.expr.faults`.
    """
    if not isinstance(source, str):
        raise Site("", 0, 0).fault("syntax", f"an expression is a text, and this is {described(source)}")
    return _compiled(source, scope)


def check_length(source: str) -> None:
    """Raises ExpressionError (``size``) for a source longer than an expression may be."""
    if len(source) > EXPRESSION_CHARS:
        site = Site(source[:80], 0, 80)
        hint = "compute parts of it in `state` or in tasks of their own"
        raise site.fault("size", f"the expression is longer than {EXPRESSION_CHARS} characters", hint=hint)


@lru_cache(maxsize=CACHED)
def _compiled(source: str, scope: Scope | None) -> Expression:
    check_length(source)
    start = skip_space(source, 0)
    if source.startswith("{{", start):
        parser, node, end = read_braced(source, scope, start)
        if skip_space(source, end) != len(source):
            site = Site(source, end, len(source) - end)
            hint = "write the whole condition as one expression"
            raise site.fault("syntax", "text beside {{ }} makes this a text, where an expression is wanted", hint=hint)
        message = "an expression stands here without {{ }}"
        text = source[node.start : node.end]
        parser.notes.append(Note("braces", "hint", start, end - start, message, text))
        return Expression(parser, node)
    parser = Parser(source, scope)
    node = parser.expression()
    if parser.token.kind != "end":
        found = source[parser.token.start : parser.token.end]
        raise parser.fail(f"the expression should end here, found {found}", hint="an operator may be missing")
    return Expression(parser, node)


def read_braced(source: str, scope: Scope | None, start: int) -> tuple[Parser, nodes.Node, int]:
    """The expression after the ``{{`` at ``start``, and the position behind its ``}}``."""
    parser = Parser(source, scope, position=start + 2)
    node = parser.expression()
    if parser.token.kind != "}" or not source.startswith("}}", parser.token.start):
        found = "the end" if parser.token.kind == "end" else source[parser.token.start : parser.token.end]
        raise parser.fail(
            f"expected }}}} behind the expression, found {found}", hint="{{{{ writes two braces as they are"
        )
    return parser, node, parser.token.start + 2
