"""Expressions and templates of ours as JSONPath, payload templates and Choice rules of Amazon States Language.

The document that a machine hands on is ``{input, tasks: {<id>: {status, output}}}``, so every path of ours has its own
there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import ExpressionError
from millrace.expr import Scope, nodes
from millrace.expr.expression import read_braced
from millrace.expr.parser import Parser
from millrace.spec import pointer

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCOPE: Final = Scope(frozenset({"input", "tasks", "config", "execution", "env", "secrets", "trigger", "output"}))
_SIGNS: Final = {
    "==": "Equals",
    "<": "LessThan",
    "<=": "LessThanEquals",
    ">": "GreaterThan",
    ">=": "GreaterThanEquals",
}
_TURNED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EXECUTION: Final = {"id": "$$.Execution.Id", "startedAt": "$$.Execution.StartTime"}
_FIELDS: Final = frozenset({"status", "body"})
"""What an export keeps of an http task's output: Step Functions gives headers as lists, and no duration."""
Place = tuple[str | int, ...]
Rule = dict[str, Any]


class Reason(Struct, frozen=True):
    """Something that has no counterpart, and where it stands in the document."""

    path: Place
    message: str

    def to_json(self) -> dict[str, Any]:
        """``path`` is a JSON Pointer."""
        return {"path": pointer(self.path), "message": self.message}


class NotPortable(Exception):
    """One thing that has no counterpart."""


class Portable:
    """Translates what one body of a workflow holds. ``config`` are the constants, ``names`` the names in the document
    that the machine hands on of the tasks that are seen, ``http`` the ids of those that make a request, and ``roots``
    what further names lead to there: an item, its index, the value of a switch."""

    def __init__(
        self,
        config: Mapping[str, Any],
        names: Mapping[str, str],
        http: frozenset[str],
        roots: Mapping[str, str] | None = None,
    ) -> None:
        self._config, self._names, self._http = config, names, http
        self._roots = dict(roots or {})
        self._scope = Scope(_SCOPE.roots | frozenset(self._roots))

    def within(self, roots: Mapping[str, str]) -> Portable:
        """The same where more names are seen."""
        return Portable(self._config, self._names, self._http, {**self._roots, **roots})

    def path(self, text: Any) -> str:
        """The JSONPath of a text that is one path and nothing else. Raises NotPortable."""
        found = self.text(text) if isinstance(text, str) and "{{" in text else ""
        if not found.startswith("$"):
            raise NotPortable("what is computed: only paths can be read")
        return found

    def equals(self, variable: str, value: Any) -> Rule:
        """The rule that what stands at a path equals a literal. Raises NotPortable."""
        if value is None:
            return {"Variable": variable, "IsNull": True}
        kinds = {bool: "Boolean", str: "String", int: "Numeric", float: "Numeric"}
        if type(value) not in kinds:
            raise NotPortable("a match with a list or a mapping")
        return {"Variable": variable, f"{kinds[type(value)]}Equals": value}

    def payload(self, value: Any) -> Any:
        """A value with templates as a payload template. Raises NotPortable."""
        if isinstance(value, dict):
            made: dict[str, Any] = {}
            for key, item in value.items():
                if isinstance(item, str) and "{{" in item:
                    made[f"{key}.$"] = self.text(item)
                elif isinstance(item, list) and any(isinstance(one, str) and "{{" in one for one in item):
                    made[f"{key}.$"] = f"States.Array({', '.join(map(self._element, item))})"
                elif key.endswith(".$"):
                    raise NotPortable(f"the key {key!r} would be taken for a path")
                else:
                    made[key] = self.payload(item)
            return made
        if isinstance(value, list):
            return [self.payload(item) for item in value]
        if isinstance(value, str) and "{{" in value:
            raise NotPortable("a template in a list of lists")
        return value

    def text(self, text: str) -> str:
        """A template as a path or a call of ``States.Format``. Raises NotPortable."""
        form, given, position = "", [], 0
        while (start := text.find("{{", position)) >= 0:
            form += _escaped(text[position:start])
            if text.startswith("{{{{", start):
                form += _escaped("{{")
                position = start + 4
                continue
            node, position = _braced(text, start, self._scope)
            given.append(self._argument(node))
            form += "{}"
        form += _escaped(text[position:])
        if form == "{}":
            return given[0] if not given[0].startswith("'") else f"States.Format('{{}}', {given[0]})"
        return f"States.Format({', '.join([f'{chr(39)}{form}{chr(39)}', *given])})" if given else f"'{form}'"

    def rule(self, source: str) -> Rule:
        """A condition as a Choice rule without ``Next``. Raises NotPortable."""
        try:
            text = source.strip()
            node = _braced(text, 0, self._scope)[0] if text.startswith("{{") else Parser(text, self._scope).expression()
        except ExpressionError as error:
            raise NotPortable(error.message) from None
        return self._rule(node)

    def _element(self, item: Any) -> str:
        if isinstance(item, dict | list):
            raise NotPortable("a list of templates and mappings")
        return self.text(item) if isinstance(item, str) and "{{" in item else _constant(item)

    def _argument(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Const):
            return _constant(node.value)
        found = self._path(node)
        return found if isinstance(found, str) else _constant(found[0])

    def _path(self, node: nodes.Node) -> str | tuple[Any]:
        """A JSONPath, or the value itself, in a tuple, of what is constant. Raises NotPortable."""
        root, steps = (node.base, node.steps) if isinstance(node, nodes.Access) else (node, [])
        if not isinstance(root, nodes.Root):
            raise NotPortable("what is computed: only paths can be read")
        segments = [_segment(step) for step in steps]
        if root.name == "config":
            return (self._constant(segments),)
        if root.name == "execution" and len(segments) == 1 and segments[0] in _EXECUTION:
            return _EXECUTION[str(segments[0])]
        if root.name in self._roots:
            return self._roots[root.name] + _joined(segments)
        if root.name == "input":
            return "$.input" + _joined(segments)
        if root.name == "tasks" and segments and segments[0] in self._names:
            self._check(str(segments[0]), segments[1:])
            return f"$.tasks.{self._names[str(segments[0])]}" + _joined(segments[1:])
        raise NotPortable(f"{root.name} has no counterpart")

    def _check(self, task: str, rest: list[str | int]) -> None:
        if rest == ["status"]:
            return
        if rest[:1] != ["output"]:
            raise NotPortable("of a task, its status and output can be read")
        fields = [rest[at + 1] for at in range(1, len(rest) - 1) if rest[at] in self._http and rest[at - 1] == "output"]
        if task in self._http:
            fields.append(rest[1] if len(rest) > 1 else "")
        if any(field not in _FIELDS for field in fields):
            raise NotPortable("of an http task's output, status and body can be read")

    def _constant(self, segments: list[str | int]) -> Any:
        value: Any = self._config
        for segment in segments:
            try:
                value = value[segment]
            except (KeyError, IndexError, TypeError):
                raise NotPortable("a constant that is not there") from None
        if isinstance(value, dict | list) or (isinstance(value, str) and "{{" in value):
            raise NotPortable("a constant that is no scalar")
        return value

    def _rule(self, node: nodes.Node) -> Rule:
        if isinstance(node, nodes.Logic):
            word = "And" if node.operator == "&&" else "Or"
            return {word: [self._rule(item) for item in node.items]}
        if isinstance(node, nodes.Unary) and set(node.operators) == {"!"}:
            inner = self._rule(node.operand)
            return {"Not": inner} if len(node.operators) % 2 else inner
        if isinstance(node, nodes.Chain) and len(node.rest) == 1 and node.rest[0][0] in _TURNED:
            return self._compared(node.first, *node.rest[0])
        if isinstance(node, nodes.Has):
            return {"Variable": self._variable(node.target), "IsPresent": True}
        if isinstance(node, nodes.Access) and isinstance(node.steps[-1], nodes.Method):
            return self._matched(node, node.steps[-1])
        if isinstance(node, nodes.Access | nodes.Root):
            return {"Variable": self._variable(node), "BooleanEquals": True}
        raise NotPortable("a condition that is no comparison of a path with a constant")

    def _variable(self, node: nodes.Node) -> str:
        found = self._path(node)
        if not isinstance(found, str):
            raise NotPortable("a condition on a constant")
        return found

    def _compared(self, left: nodes.Node, sign: str, right: nodes.Node) -> Rule:
        if isinstance(left, nodes.Const):
            left, sign, right = right, _TURNED[sign], left
        value = right.value if isinstance(right, nodes.Const) else None
        if not isinstance(right, nodes.Const):
            found = self._path(right)
            if isinstance(found, str):
                raise NotPortable("a comparison of two paths: Step Functions has to know their type")
            value = found[0]
        variable = self._variable(left)
        if value is None and sign in ("==", "!="):
            made: Rule = {"Variable": variable, "IsNull": True}
        elif isinstance(value, bool) and sign in ("==", "!="):
            made = {"Variable": variable, "BooleanEquals": value}
        elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            kind = "String" if isinstance(value, str) else "Numeric"
            made = {"Variable": variable, f"{kind}{_SIGNS['==' if sign == '!=' else sign]}": value}
        else:
            raise NotPortable("a comparison by order of what has none")
        return {"Not": made} if sign == "!=" else made

    def _matched(self, node: nodes.Access, method: nodes.Method) -> Rule:
        argument = method.args[0] if len(method.args) == 1 else None
        if method.name not in ("startsWith", "endsWith") or not isinstance(argument, nodes.Const):
            raise NotPortable(f"{method.name} has no counterpart")
        text = re.sub(r"([*\\])", r"\\\1", str(argument.value))
        base = nodes.Access(node.start, node.end, node.base, node.steps[:-1]) if node.steps[:-1] else node.base
        pattern = f"{text}*" if method.name == "startsWith" else f"*{text}"
        return {"Variable": self._variable(base), "StringMatches": pattern}


def _braced(text: str, start: int, scope: Scope) -> tuple[nodes.Node, int]:
    try:
        _, node, position = read_braced(text, scope, start)
    except ExpressionError as error:
        raise NotPortable(error.message) from None
    return node, position


def _segment(step: nodes.AnyStep) -> str | int:
    if isinstance(step, nodes.Field) and not step.safe:
        return step.name
    key = step.key if isinstance(step, nodes.Index) and not step.safe else None
    if isinstance(key, nodes.Const) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
        return key.value
    raise NotPortable("what is computed: only paths can be read")


def _joined(segments: list[str | int]) -> str:
    out = ""
    for segment in segments:
        if isinstance(segment, str) and "'" in segment:
            raise NotPortable("a field whose name holds a quotation mark")
        plain = isinstance(segment, str) and _FIELD.fullmatch(segment)
        out += f".{segment}" if plain else f"[{segment!r}]"
    return out


def _constant(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"'{_escaped(value)}'" if isinstance(value, str) else str(value)


def _escaped(text: str) -> str:
    return re.sub(r"([\\'{}])", r"\\\1", text)
