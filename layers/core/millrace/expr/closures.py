"""From syntax tree to closures: each node becomes one function of a frame.

A closure captures everything that is known beforehand (names, positions, operators), so evaluation looks nothing
up but data. Whatever depends on constants alone is computed once, here; if that fails, it is left to fail when it is
evaluated, since ``false && 1 / 0 == 0`` is false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.base.limits import EXPRESSION_DEPTH
from millrace.expr import nodes
from millrace.expr.access import access, path_reader
from millrace.expr.faults import Site
from millrace.expr.frame import Frame, Run
from millrace.expr.fuel import Fuel
from millrace.expr.functions import FUNCTIONS
from millrace.expr.logic import both, choice, coalesce, either, negation
from millrace.expr.operators import OPERATORS, POINTER_BYTES, negate, type_fault
from millrace.expr.patterns import compiled
from millrace.expr.secrets import SecretRef, SecretText
from millrace.expr.values import described, kind, secret_fault

_FOLDING_STEPS: Final = 10_000
_FOLDING_BYTES: Final = 4_096


class Compiler:
    """Compiles the nodes of one source. ``constant`` marks closures that give the same value in every frame."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._constants: dict[int, Any] = {}
        self._kept: list[Run] = []

    def site(self, node: nodes.Node | nodes.Step) -> Site:
        return Site(self.source, node.start, node.end - node.start)

    def is_constant(self, run: Run) -> bool:
        return id(run) in self._constants

    def compile(self, node: nodes.Node) -> Run:
        """Raises ExpressionError (``secret-use``, ``regex``) for what can never work."""
        method: Callable[[Any], Run] = _COMPILERS[type(node)].__get__(self)
        return method(node)

    def _constant(self, value: Any) -> Run:
        def constant(_frame: Frame) -> Any:
            return value

        self._constants[id(constant)] = value
        self._kept.append(constant)
        return constant

    def folded(self, run: Run, parts: list[Run]) -> Run:
        if not all(self.is_constant(part) for part in parts):
            return run
        try:
            return self._constant(run(Frame({}, Fuel(_FOLDING_STEPS, _FOLDING_BYTES), EXPRESSION_DEPTH)))
        except ExpressionError:
            return run

    def operand(self, node: nodes.Node) -> Run:
        """A node that something is done to, which a secret can never be."""
        if isinstance(node, nodes.Secret):
            raise secret_fault(self.site(node))
        return self.compile(node)

    # --- leaves

    def const(self, node: nodes.Const) -> Run:
        return self._constant(node.value)

    def root(self, node: nodes.Root) -> Run:
        return path_reader(self.source, node, [])

    def var(self, node: nodes.Var) -> Run:
        slot = node.slot

        def variable(frame: Frame) -> Any:
            return frame.slots[slot]

        return variable

    def secret(self, node: nodes.Secret) -> Run:
        text = SecretText((SecretRef(node.name),))

        def secret(_frame: Frame) -> Any:
            return text

        return secret

    # --- literals

    def list_of(self, node: nodes.ListOf) -> Run:
        runs = [self.compile(item) for item in node.items]
        site = self.site(node)

        def made(frame: Frame) -> Any:
            frame.fuel.grow(POINTER_BYTES * len(runs), site)
            return [run(frame) for run in runs]

        return self.folded(made, runs)

    def map_of(self, node: nodes.MapOf) -> Run:
        runs = [(self.operand(key), self.compile(value), self.site(key)) for key, value in node.entries]
        site = self.site(node)

        def made(frame: Frame) -> Any:
            frame.fuel.grow(2 * POINTER_BYTES * len(runs), site)
            result: dict[str, Any] = {}
            for key_run, run, where in runs:
                key = key_run(frame)
                if type(key) is not str:
                    if kind(key) == "secret":
                        raise secret_fault(where)
                    raise where.fault("type", f"a map key is a text, and this is {described(key)}", hint="string(key)")
                if key in result:
                    raise where.fault("duplicate-key", f"the key {key[:60]} is there already", hint="remove one")
                result[key] = run(frame)
            return result

        return self.folded(made, [part for key, value, _ in runs for part in (key, value)])

    # --- operators

    def unary(self, node: nodes.Unary) -> Run:
        run = self.operand(node.operand)
        site = self.site(node)
        inner = list(reversed(node.operators))
        if inner == ["!"]:
            return self.folded(negation(run, site), [run])

        def applied(frame: Frame) -> Any:
            value = run(frame)
            for operator in inner:
                if operator == "-":
                    value = negate(value, site)
                elif type(value) is bool:
                    value = not value
                else:
                    raise type_fault(site, "!", value)
            return value

        return self.folded(applied, [run])

    def chain(self, node: nodes.Chain) -> Run:
        first = self.operand(node.first)
        rest = [(OPERATORS[operator], self.operand(right), self._between(node, right)) for operator, right in node.rest]
        parts = [first, *(run for _, run, _ in rest)]
        if len(rest) == 1:
            return self.folded(self._pair(node.rest[0][0], first, rest[0][1], rest[0][2]), parts)

        def chained(frame: Frame) -> Any:
            value = first(frame)
            for operator, run, site in rest:
                value = operator(value, run(frame), frame.fuel, site)
            return value

        return self.folded(chained, parts)

    def _between(self, node: nodes.Chain, right: nodes.Node) -> Site:
        return Site(self.source, node.start, right.end - node.start)

    def _pair(self, name: str, left: Run, right: Run, site: Site) -> Run:
        operator = OPERATORS[name]
        literal = self._constants.get(id(right))
        if name in {"==", "!="} and type(literal) is str and len(literal) <= 64:
            wanted = name == "=="

            def compared(frame: Frame) -> Any:
                value = left(frame)
                if type(value) is str:
                    return (value == literal) is wanted
                return operator(value, literal, frame.fuel, site)

            return compared

        def applied(frame: Frame) -> Any:
            return operator(left(frame), right(frame), frame.fuel, site)

        return applied

    def logic(self, node: nodes.Logic) -> Run:
        items = [(self.operand(item), self.site(item)) for item in node.items]
        return self.folded((both if node.operator == "&&" else either)(items), [run for run, _ in items])

    def coalesce(self, node: nodes.Coalesce) -> Run:
        runs = [self.compile(item) for item in node.items]
        return self.folded(coalesce(runs), runs)

    def choice(self, node: nodes.Choice) -> Run:
        branches = [(self.operand(test), self.compile(value), self.site(test)) for test, value in node.branches]
        otherwise = self.compile(node.otherwise)
        parts = [otherwise, *(part for test, value, _ in branches for part in (test, value))]
        return self.folded(choice(branches, otherwise), parts)

    def call(self, node: nodes.Call) -> Run:
        runs = [self.operand(arg) for arg in node.args]
        site = self.site(node)
        function = FUNCTIONS[node.name]
        if node.name == "matches":
            self.check_pattern(runs[1], site)

        def called(frame: Frame) -> Any:
            return function(site, frame.fuel, *[run(frame) for run in runs])

        return self.folded(called, runs)

    def check_pattern(self, run: Run, site: Site) -> None:
        """A pattern that is a literal is judged now."""
        pattern = self._constants.get(id(run))
        if type(pattern) is str:
            compiled(pattern, site)

    def has(self, node: nodes.Has) -> Run:
        target = node.target
        last = node.last
        base = nodes.Access(target.start, last.start, target.base, target.steps[:-1])
        holder = self.access(base) if base.steps else self.operand(target.base)
        key = self._constant(last.name) if isinstance(last, nodes.Field) else self.operand(last.key)
        site = self.site(node)

        def present(frame: Frame) -> Any:
            value, name = holder(frame), key(frame)
            if isinstance(value, Mapping) and type(name) is str:
                return name in value
            if isinstance(value, list) and type(name) is int:
                return 0 <= name < len(value)
            raise type_fault(site, "has", value)

        return self.folded(present, [holder, key])

    def access(self, node: nodes.Access) -> Run:
        return access(self, node)


_COMPILERS: Final[dict[type, Callable[..., Run]]] = {
    nodes.Const: Compiler.const,
    nodes.Root: Compiler.root,
    nodes.Var: Compiler.var,
    nodes.Secret: Compiler.secret,
    nodes.ListOf: Compiler.list_of,
    nodes.MapOf: Compiler.map_of,
    nodes.Unary: Compiler.unary,
    nodes.Chain: Compiler.chain,
    nodes.Logic: Compiler.logic,
    nodes.Coalesce: Compiler.coalesce,
    nodes.Choice: Compiler.choice,
    nodes.Call: Compiler.call,
    nodes.Has: Compiler.has,
    nodes.Access: Compiler.access,
}
