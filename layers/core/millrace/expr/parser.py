"""From source to syntax tree.

Operators of one expression are read into a flat list and grouped afterwards, so a chain of any length takes no
stack, and a level of brackets takes four frames. Nesting is limited by count, never by the interpreter's stack.

Precedence, loosest first: ``?:``, ``??``, ``|| or``, ``&& and``, ``not``, relations and ``in``, ``+ -``, ``* / %``,
``! -`` in front, then ``. ?. [ ]`` and calls.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NoReturn, TypeVar

from millrace.base.errors import ExpressionError
from millrace.base.limits import EXPRESSION_DEPTH
from millrace.expr import nodes
from millrace.expr.catalogue import MACROS, check_call
from millrace.expr.faults import Site
from millrace.expr.hyphens import judged_hyphen, not_a_method
from millrace.expr.nodes import Node
from millrace.expr.notes import Note
from millrace.expr.scope import Scope
from millrace.expr.tokens import Token, read_field, read_token

INT_MAX: Final = 2**63 - 1
_WORDS: Final = {"and": "&&", "or": "||", "in": "in"}
_LEVELS: Final = (
    frozenset({"??"}),
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"==", "!=", "<", "<=", ">", ">=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_BINARY: Final = frozenset().union(*_LEVELS)
_RELATIONS: Final = 3
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "true", "false", "null"})
N = TypeVar("N", bound=Node)


class Parser:
    """Reads one expression of ``source`` from ``position`` on; ``token`` is then the first one behind it."""

    def __init__(self, source: str, scope: Scope | None, *, position: int = 0, limit: int | None = None) -> None:
        self.source = source
        self.scope = scope
        self.limit = len(source) if limit is None else limit
        self.notes: list[Note] = []
        self.slots = 0
        self._variables: list[str] = []
        self._nesting = 0
        self._last = position
        self.token = read_token(source, position, self.limit)

    def expression(self) -> Node:
        self._nesting += 1
        if self._nesting > EXPRESSION_DEPTH:
            self._too_deep(self.token.start, self.token.end)
        node = self._operators()
        if self.token.kind == "?":
            branches = []
            while self.token.kind == "?":
                self._advance()
                value = self.expression()
                self._expect(":", "a ? b : c")
                branches.append((node, value))
                node = self._operators()
            children = [node, *(part for branch in branches for part in branch)]
            node = self._grown(nodes.Choice(branches[0][0].start, node.end, branches, node), children)
        self._nesting -= 1
        return node

    def fail(self, message: str, *, hint: str = "") -> ExpressionError:
        """A syntax error at the current token."""
        token = self.token
        return self._site(token.start, max(token.end, token.start + 1)).fault("syntax", message, hint=hint)

    # --- operators

    def _operators(self) -> Node:
        operands: list[Node] = []
        operators: list[str] = []
        negations: dict[int, list[int]] = {}
        while True:
            while self.token.kind == "name" and self.token.value == "not":
                negations.setdefault(len(operands), []).append(self.token.start)
                self._advance()
            operands.append(self._unary())
            operator = _WORDS.get(self.token.value) if self.token.kind == "name" else self.token.kind
            if operator not in _BINARY:
                return self._grouped(operands, operators, negations, 0, len(operands), 0)
            operators.append(str(operator))
            self._advance()

    def _grouped(
        self,
        operands: list[Node],
        operators: list[str],
        negations: dict[int, list[int]],
        low: int,
        high: int,
        level: int,
    ) -> Node:
        """The tree of operands ``low`` to ``high``. Recursion is bounded by the number of precedence levels."""
        if level == _RELATIONS and low in negations:
            starts = negations.pop(low)
            operand = self._grouped(operands, operators, negations, low, high, level)
            return self._grown(nodes.Unary(starts[0], operand.end, ["!"] * len(starts), operand), [operand])
        if level == _RELATIONS and negations:
            inside = next((start for at, starts in negations.items() if low < at < high for start in starts), None)
            if inside is not None:
                site = self._site(inside, inside + 3)
                raise site.fault("syntax", "not cannot stand here", hint="put it in brackets: (not x), or write !x")
        if high - low == 1 and low not in negations:
            return operands[low]
        cuts = [index for index in range(low, high - 1) if operators[index] in _LEVELS[level]]
        bounds = [low, *(cut + 1 for cut in cuts), high]
        parts = [
            self._grouped(operands, operators, negations, first, last, level + 1) for first, last in pairwise(bounds)
        ]
        if not cuts:
            return parts[0]
        start, end = parts[0].start, parts[-1].end
        node: Node
        if level == 0:
            node = nodes.Coalesce(start, end, parts)
        elif level < _RELATIONS:
            node = nodes.Logic(start, end, operators[cuts[0]], parts)
        else:
            rest = [(operators[cut], part) for cut, part in zip(cuts, parts[1:], strict=True)]
            self._note_division(parts[0], rest)
            node = nodes.Chain(start, end, parts[0], rest)
        return self._grown(node, parts)

    def _note_division(self, first: Node, rest: list[tuple[str, Node]]) -> None:
        for operator, right in rest:
            if any(isinstance(node, nodes.Const) and type(node.value) is float for node in (first, right)):
                return  # from here on it is calculated with doubles
            if operator == "/" and isinstance(right, nodes.Const) and type(right.value) is int:
                message = "when the left side is an int too, this division drops the remainder, as in CEL"
                length = right.end - right.start
                fix = f"{right.value}.0"
                self.notes.append(Note("int-division", "hint", right.start, length, message, fix))

    def _unary(self) -> Node:
        start = self.token.start
        operators: list[str] = []
        while self.token.kind in {"!", "-"}:
            operators.append(self.token.kind)
            self._advance()
        if operators and operators[-1] == "-" and self.token.kind in {"int", "double"}:
            operators.pop()
            node = self._access(self._number(-1, self._last - 1))
        else:
            node = self._access(self._primary())
        if operators:
            node = self._grown(nodes.Unary(start, node.end, operators, node), [node])
        return node

    def _number(self, sign: int, start: int) -> Node:
        token = self.token
        value = token.value * sign
        if token.kind == "int" and not -INT_MAX - 1 <= value <= INT_MAX:
            site = self._site(start, token.end)
            raise site.fault("overflow", "this integer does not fit 64 bits", hint="write it as a double: 1e19")
        self._advance()
        return nodes.Const(start, token.end, value)

    # --- operands

    def _primary(self) -> Node:
        token = self.token
        if token.kind in {"int", "double"}:
            return self._number(1, token.start)
        if token.kind == "string":
            self._advance()
            return nodes.Const(token.start, token.end, token.value)
        if token.kind == "name":
            return self._name(token)
        if token.kind == "(":
            self._advance()
            node = self.expression()
            self._expect(")", "( … )")
            return node
        if token.kind == "[":
            self._advance()
            items = self._list("]")
            return self._grown(nodes.ListOf(token.start, self._last, items), items)
        if token.kind == "{":
            return self._map(token)
        if token.kind == "end":
            raise self.fail("the expression ends where a value is expected")
        raise self.fail(f"expected a value, found {token.kind}")

    def _name(self, token: Token) -> Node:
        name = token.value
        if name in _CONSTANTS:
            self._advance()
            return nodes.Const(token.start, token.end, _CONSTANTS[name])
        if name in _KEYWORDS:
            raise self.fail(f"expected a value, found the word {name}")
        self._advance()
        site = self._site(token.start, token.end)
        if self.token.kind == "(":
            if name == "has":
                return self._has(token)
            args = self._arguments()
            check_call(site, name, len(args))
            return self._grown(nodes.Call(token.start, self._last, name, args), args)
        if name in self._variables:
            return nodes.Var(token.start, token.end, name, self._variables.index(name))
        path = (name,) if self.scope is None else self.scope.resolve(name, site)
        if path[0] == "secrets":
            return self._secret(token)
        base = nodes.Root(token.start, token.end, path[0])
        if len(path) == 1:
            if path[0] != name:
                message = f"{name} is another spelling of {path[0]}"
                self.notes.append(Note("alias", "hint", token.start, len(name), message, path[0]))
            return base
        steps: list[nodes.AnyStep] = [nodes.Field(token.start, token.end, False, part) for part in path[1:]]
        return nodes.Access(token.start, token.end, base, steps)

    def _secret(self, token: Token) -> Node:
        if self.token.kind == ".":
            field = self._field()
            name: object = field.value
        elif self.token.kind == "[":
            self._advance()
            name = None
            if self.token.kind == "string":
                name = self.token.value
                self._advance()
                self._expect("]", 'secrets["name"]')
        else:
            name = None
        site = self._site(token.start, self._last)
        if not isinstance(name, str):
            hint = "write secrets.name; the name must be spelled out"
            raise site.fault("secret-use", "secrets can only be read one by one", hint=hint)
        if self.token.kind in {".", "?.", "["}:
            raise site.fault("secret-use", "nothing can be read from inside a secret", hint="use the whole secret")
        return nodes.Secret(token.start, self._last, name)

    def _map(self, token: Token) -> Node:
        self._advance()
        entries: list[tuple[Node, Node]] = []
        while self.token.kind != "}":
            key = self.expression()
            self._expect(":", "{'key': value}")
            entries.append((key, self.expression()))
            if self.token.kind != ",":
                break
            self._advance()
        self._expect("}", "{'key': value}")
        children = [part for entry in entries for part in entry]
        return self._grown(nodes.MapOf(token.start, self._last, entries), children)

    def _list(self, closing: str) -> list[Node]:
        """Values up to the closing bracket, which is consumed; one comma may stand before it."""
        items: list[Node] = []
        while self.token.kind != closing:
            items.append(self.expression())
            if self.token.kind != ",":
                break
            self._advance()
        self._expect(closing, f"… {closing}")
        return items

    def _arguments(self) -> list[Node]:
        self._advance()
        return self._list(")")

    def _has(self, token: Token) -> Node:
        args = self._arguments()
        check_call(self._site(token.start, token.end), "has", len(args))
        target = args[0]
        last = target.steps[-1] if isinstance(target, nodes.Access) else None
        if not isinstance(target, nodes.Access) or not isinstance(last, nodes.Field | nodes.Index) or last.safe:
            site = self._site(target.start, target.end)
            raise site.fault("syntax", "has asks for a field: has(value.field)", hint="name the field to look for")
        return self._grown(nodes.Has(token.start, self._last, target, last), args)

    # --- what follows an operand

    def _access(self, base: Node) -> Node:
        steps: list[nodes.AnyStep] = []
        children = [base]
        if isinstance(base, nodes.Access):
            steps, children, base = list(base.steps), [base.base, base], base.base
        count = len(steps)
        while True:
            kind = self.token.kind
            if kind == "double" and self.source[self.token.start] == ".":
                kind = "."
            if kind == "." or (kind == "?." and not self._at_bracket()):
                self._dotted(kind == "?.", base, steps, children)
            elif kind in {"[", "?."}:
                start = self.token.start
                if kind == "?.":
                    self._advance()
                self._advance()
                key = self.expression()
                self._expect("]", "value[key]")
                children.append(key)
                steps.append(nodes.Index(start, self._last, kind == "?.", key))
            elif kind == "(":
                raise self.fail("this is not a function", hint="only the built-in functions can be called")
            else:
                break
        if len(steps) == count:
            return children[-1]
        return self._grown(nodes.Access(base.start, self._last, base, steps), children, extra=len(steps))

    def _at_bracket(self) -> bool:
        return read_token(self.source, self.token.end, self.limit).kind == "["

    def _dotted(self, safe: bool, base: Node, steps: list[nodes.AnyStep], children: list[Node]) -> None:
        field = self._field()
        if self.token.kind == "(":
            if "-" in field.value:
                raise not_a_method(field, self._site(field.start, field.end))
            steps.append(self._method(field, safe, children))
            return
        if "-" in field.value and self.source[field.start] != "`":
            site = self._site(field.start, field.end)
            self.notes.extend(judged_hyphen(self.scope, field.value, base, steps, site))
        steps.append(nodes.Field(field.start, field.end, safe, field.value))

    def _field(self) -> Token:
        """The name after the current dot; a dot that began a number such as ``.5`` counts as one."""
        dot = self.token.start + (2 if self.token.kind == "?." else 1)
        field = read_field(self.source, dot, self.limit)
        self._last = field.end
        self.token = read_token(self.source, field.end, self.limit)
        return field

    def _method(self, field: Token, safe: bool, children: list[Node]) -> nodes.AnyStep:
        name = MACROS.get(field.value)
        if name is None:
            args = self._arguments()
            check_call(self._site(field.start, field.end), field.value, len(args), method=True)
            children.extend(args)
            return nodes.Method(field.start, self._last, safe, field.value, args)
        self._advance()
        variable = self.token
        if variable.kind != "name" or variable.value in _KEYWORDS:
            raise self.fail(f"{name} begins with the name of its variable", hint=f"write {name}(x, …)")
        taken = self.scope is not None and variable.value in self.scope.roots
        if taken or variable.value in self._variables:
            site = self._site(variable.start, variable.end)
            raise site.fault("shadowing", f"{variable.value} already has a meaning here", hint="choose another name")
        self._advance()
        self._expect(",", f"{name}(x, …)")
        slot = len(self._variables)
        self._variables.append(variable.value)
        self.slots = max(self.slots, slot + 1)
        args = self._list(")")
        self._variables.pop()
        if len(args) != 1 and not (name == "map" and len(args) == 2):
            site = self._site(field.start, self._last)
            raise site.fault("argument-count", f"{name} takes a variable and one expression", hint=f"{name}(x, …)")
        children.extend(args)
        test = args[0] if len(args) == 2 else None
        return nodes.Macro(field.start, self._last, safe, name, slot, test, args[-1])

    # --- helpers

    def _advance(self) -> None:
        self._last = self.token.end
        self.token = read_token(self.source, self.token.end, self.limit)

    def _expect(self, kind: str, shape: str) -> None:
        if self.token.kind != kind:
            found = "the end" if self.token.kind == "end" else self.source[self.token.start : self.token.end]
            raise self.fail(f"expected {kind} as in {shape}, found {found}")
        self._advance()

    def _site(self, start: int, end: int) -> Site:
        return Site(self.source, start, end - start)

    def _too_deep(self, start: int, end: int) -> NoReturn:
        site = self._site(start, end)
        hint = "compute a part of it in `state` or in a task of its own"
        raise site.fault("depth", f"the expression is nested deeper than {EXPRESSION_DEPTH} levels", hint=hint)

    def _grown(self, node: N, children: list[Node], *, extra: int = 0) -> N:
        node.depth = 1 + max((child.depth for child in children), default=0)
        node.cost = 1 + extra + sum(child.cost for child in children)
        if node.depth > EXPRESSION_DEPTH:
            self._too_deep(node.start, node.end)
        return node
