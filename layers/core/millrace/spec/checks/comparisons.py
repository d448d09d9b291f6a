"""Checks of conditions that hold always or never: comparisons with values that a schema rules out, and comparisons
that contradict each other.

An expression gives the same value every time in one evaluation, so the text of an operand stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from millrace.expr import ReadPath, nodes
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment
from millrace.spec.shapes import Shape, bounds_of, json_type, values_of
from millrace.spec.sites import Site, Sites

_TURNED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_FIX: Final = "Correct it, or take it out."
Number = int | float | Decimal


class Range(Struct):
    """The numbers between two bounds; a bound that is ``open`` is not among them."""

    least: Number | None = None
    most: Number | None = None
    open_least: bool = False
    open_most: bool = False

    def above(self, bound: Number, *, open_: bool) -> None:
        if self.least is None or (bound, open_) > (self.least, self.open_least):
            self.least, self.open_least = bound, open_

    def below(self, bound: Number, *, open_: bool) -> None:
        if self.most is None or (bound, not open_) < (self.most, not self.open_most):
            self.most, self.open_most = bound, open_

    @property
    def empty(self) -> bool:
        if self.least is None or self.most is None:
            return False
        return self.least > self.most or (self.least == self.most and (self.open_least or self.open_most))

    def narrow(self, sign: str, bound: Number) -> None:
        """Keep what stands in a relation to a bound."""
        if sign in (">", ">="):
            self.above(bound, open_=sign == ">")
        if sign in ("<", "<="):
            self.below(bound, open_=sign == "<")
        if sign == "==":
            self.above(bound, open_=False)
            self.below(bound, open_=False)


class _Said(Struct):
    """What the parts of one conjunction say about one operand."""

    range: Range = field(default_factory=Range)
    equal: list[Any] = field(default_factory=list)
    unequal: list[Any] = field(default_factory=list)


class _Comparison(Struct, frozen=True):
    """``operand sign constant``; ``path`` is where the operand is read from, if it is only read."""

    operand: str
    sign: str
    constant: Any
    path: ReadPath | None
    start: int
    text: str


def check_comparisons(report: Report, sites: Sites, environment: Callable[[int | None], Environment]) -> None:
    """Every expression that compares something with a constant. Linear in the size of expressions."""
    for site in sites.sites:
        tree = site.expression.tree
        if tree is None or site.expression.constant:
            continue
        for node in _every(tree):
            if isinstance(node, nodes.Logic):
                _together(report, site, node)
            compared = _comparison(site, node)
            if compared is not None and compared.path is not None:
                shape = environment(site.task).follow(compared.path).shape
                why, says = ("", "false") if shape is None else _ruled_out(compared, shape)
                if why:
                    message = f"{compared.text} is always {says}: {why}"
                    report.add_at(site, compared.start, "constant-comparison", message, fix=_FIX)


def _ruled_out(compared: _Comparison, shape: Shape) -> tuple[str, str]:
    """Why a comparison has one result for everything a schema allows, and which; nothing if it has several."""
    says = "true" if compared.sign == "!=" else "false"
    allowed = values_of(shape)
    if allowed is not None:
        if compared.sign in ("==", "!=") and not any(_equal(compared.constant, one) for one in allowed):
            return f"the value is one of {', '.join(str(one) for one in allowed[:12])}", says
        if compared.sign == "in" and not any(_equal(one, two) for one in compared.constant for two in allowed):
            return f"the value is one of {', '.join(str(one) for one in allowed[:12])}", says
        return "", ""
    least, most = bounds_of(shape)
    if not _number(compared.constant) or (least is None and most is None) or compared.sign in ("!=", "in"):
        return "", ""
    found = Range(least, most)
    found.narrow(compared.sign, compared.constant)
    said = [f"at least {least}"] if least is not None else []
    said += [f"at most {most}"] if most is not None else []
    return (f"the value is {' and '.join(said)}", says) if found.empty else ("", "")


def _together(report: Report, site: Site, node: nodes.Logic) -> None:
    """Comparisons of one operand that cannot all hold, or of which one always does."""
    found: dict[str, _Said] = {}
    for item in node.items:
        compared = _comparison(site, item)
        if compared is None or compared.sign == "in":
            continue
        said = found.setdefault(compared.operand, _Said())
        text = "cannot hold beside what stands before it"
        if node.operator == "||":  # of which one always holds if their opposites cannot all hold
            compared = replace(compared, sign=_OPPOSITE[compared.sign])
            text = "makes the whole always true: it holds where what stands before it does not"
        if _clashes(said, compared):
            report.add_at(site, compared.start, "constant-comparison", f"{compared.text} {text}", fix=_FIX)
            return


def _clashes(said: _Said, compared: _Comparison) -> bool:
    """Whether one more comparison cannot hold where the others do; it is taken into account otherwise."""
    constant = compared.constant
    if compared.sign == "!=":
        said.unequal.append(constant)
        return any(_equal(constant, one) for one in said.equal)
    if compared.sign == "==":
        if any(not _equal(constant, one) for one in said.equal) or any(_equal(constant, one) for one in said.unequal):
            return True
        said.equal.append(constant)
    if not _number(constant):
        return False
    said.range.narrow(compared.sign, constant)
    return said.range.empty


def _comparison(site: Site, node: nodes.Node) -> _Comparison | None:
    if not isinstance(node, nodes.Chain) or len(node.rest) != 1:
        return None
    (sign, right), left = node.rest[0], node.first
    if sign == "in" and isinstance(right, nodes.ListOf) and right.items:
        constants = [item.value for item in right.items if isinstance(item, nodes.Const)]
        if len(constants) == len(right.items):
            return _compared(site, node, left, sign, constants)
        return None
    if sign not in _TURNED:
        return None
    if isinstance(left, nodes.Const) and not isinstance(right, nodes.Const):
        return _compared(site, node, right, _TURNED[sign], left.value)
    if isinstance(right, nodes.Const) and not isinstance(left, nodes.Const):
        return _compared(site, node, left, sign, right.value)
    return None


def _compared(site: Site, node: nodes.Node, operand: nodes.Node, sign: str, constant: Any) -> _Comparison:
    source = site.expression.source
    text = source[operand.start : operand.end].strip()
    return _Comparison(text, sign, constant, _path(operand), node.start, source[node.start : node.end])


def _path(node: nodes.Node) -> ReadPath | None:
    """Where a value is read from, if by names and fixed positions only."""
    if isinstance(node, nodes.Root):
        return ReadPath(node.name)
    if not isinstance(node, nodes.Access) or not isinstance(node.base, nodes.Root):
        return None
    segments: list[str | int] = []
    for step in node.steps:
        if isinstance(step, nodes.Field):
            segments.append(step.name)
        elif isinstance(step, nodes.Index) and isinstance(step.key, nodes.Const) and _segment(step.key.value):
            segments.append(step.key.value)
        else:
            return None
    return ReadPath(node.base.name, tuple(segments))


def _segment(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _equal(one: Any, two: Any) -> bool:
    """Equality as expressions have it: numbers by value, everything else within its type."""
    if _number(one) and _number(two):
        return bool(one == two)
    return json_type(one) == json_type(two) and bool(one == two)


def _every(tree: nodes.Node) -> Iterator[nodes.Node]:
    """A node and those in it, from the outside."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(list(_below(node))))


def _below(node: nodes.Node) -> Iterator[nodes.Node]:
    match node:
        case nodes.ListOf(items=items) | nodes.Logic(items=items) | nodes.Coalesce(items=items):
            yield from items
        case nodes.Call(args=args):
            yield from args
        case nodes.MapOf(entries=pairs):
            yield from (item for pair in pairs for item in pair)
        case nodes.Unary(operand=operand):
            yield operand
        case nodes.Chain(first=first, rest=rest):
            yield from [first, *(right for _, right in rest)]
        case nodes.Choice(branches=pairs, otherwise=otherwise):
            yield from [*(item for pair in pairs for item in pair), otherwise]
        case nodes.Access(base=base, steps=steps):
            yield from [base, *(item for step in steps for item in _in_step(step))]
        case nodes.Has(target=target):
            yield target
        case _:
            return


def _in_step(step: nodes.AnyStep) -> list[nodes.Node]:
    if isinstance(step, nodes.Index):
        return [step.key]
    if isinstance(step, nodes.Method):
        return list(step.args)
    if isinstance(step, nodes.Macro):
        return [*([] if step.test is None else [step.test]), step.body]
    return []
