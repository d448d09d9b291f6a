"""Choice rules as conditions."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.services.importers.asl.data import Data, NoPath, followed, spelled
from millrace.services.importers.asl.payloads import Reader
from millrace.services.importers.draft import Draft
from millrace.services.importers.order import closed, opposite
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import filled
from millrace.services.importers.spelling import quoted

_SIGNS: Final = {
    "Equals": "==",
    "LessThan": "<",
    "LessThanEquals": "<=",
    "GreaterThan": ">",
    "GreaterThanEquals": ">=",
}
_COMPARED: Final = re.compile(
    r"(String|Numeric|Boolean)(Equals|LessThanEquals|LessThan|GreaterThanEquals|GreaterThan)(Path)?"
)
_KINDS: Final = {
    "IsNull": "{0} == null",
    "IsNumeric": "type({0}) in ['int', 'double']",
    "IsString": "type({0}) == 'string'",
    "IsBoolean": "type({0}) == 'bool'",
}
_DEEPEST: Final = 20
TABLE: Final = {
    "StringEquals …, NumericLessThan …": "the comparison",
    "…Path": "the comparison of two values",
    "StringMatches": "`startsWith`, `endsWith`, or a pattern",
    "IsPresent": "`(… ?? null) != null`; a value of null counts as absent",
    ", ".join(_KINDS): "a comparison with null, or of `type()`",
    "And, Or, Not": "`&&`, `||`, `!`",
}


class Choices:
    """Reads the rules of one Choice state."""

    def __init__(self, draft: Draft, reader: Reader) -> None:
        self._draft, self._reader = draft, reader

    def condition(self, rule: Any, data: Data, path: Path) -> str:
        """The condition of a rule; ``false``, with a note, where it cannot be mapped."""
        try:
            return self._rule(rule, data, path, 0)
        except NoPath as error:
            self._draft.unmapped(path, f"the rule cannot be taken over, so its branch never runs: {error}")
            return "false"

    def _rule(self, rule: Any, data: Data, path: Path, depth: int) -> str:
        if not isinstance(rule, dict) or depth > _DEEPEST:
            raise NoPath("not a rule" if depth <= _DEEPEST else "rules are nested too deeply")
        for key, sign in (("And", " && "), ("Or", " || ")):
            if isinstance(rule.get(key), list) and rule[key]:
                return sign.join(closed(self._rule(one, data, path, depth + 1)) for one in rule[key])
        if "Not" in rule:
            return opposite(self._rule(rule["Not"], data, path, depth + 1))
        variable = self._value(rule.get("Variable"), data)
        operators = [key for key in rule if key not in ("Variable", "Next", "Comment")]
        if len(operators) != 1:
            raise NoPath("a rule has one operator")
        return self._compared(variable, operators[0], rule[operators[0]], data, path)

    def _value(self, source: Any, data: Data) -> str:
        if not isinstance(source, str):
            raise NoPath("a rule without a variable")
        if source.startswith("$$"):
            found = self._reader.expression(source, data, ())
            if found is None:
                raise NoPath(f"{source!r} has no counterpart")
            return found
        return followed(data, source).expression()

    def _compared(self, variable: str, operator: str, against: Any, data: Data, path: Path) -> str:
        match = _COMPARED.fullmatch(operator)
        if match is not None:
            right = self._value(against, data) if match[3] else _scalar(against)
            return f"{variable} {_SIGNS[match[2]]} {right}"
        if operator == "IsPresent":
            self._draft.changed(path, "a value of null counts as not present")
            return f"({variable} ?? null) {'!=' if against is True else '=='} null"
        if operator in _KINDS:
            made = filled(_KINDS[operator], variable, ())
            return made if against is True else opposite(made)
        if operator == "StringMatches" and isinstance(against, str):
            return _matches(variable, against)
        raise NoPath(f"{operator[:40]} has no counterpart")


def _scalar(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise NoPath("a comparison with something else than text, a number, true or false")
    return quoted(value) if isinstance(value, str) else spelled(value)


def _matches(variable: str, pattern: str) -> str:
    """A pattern whose ``*`` stands for anything."""
    pieces = [re.sub(r"\\(.)", r"\1", piece) for piece in re.split(r"(?<!\\)\*", pattern)]
    if len(pieces) == 1:
        return f"{variable} == {quoted(pieces[0])}"
    if len(pieces) == 2 and not pieces[0]:
        return f"{variable}.endsWith({quoted(pieces[1])})"
    if len(pieces) == 2 and not pieces[1]:
        return f"{variable}.startsWith({quoted(pieces[0])})"
    body = ".*".join(re.sub(r"([^A-Za-z0-9_ /:@,;=&%#~!'\"<>-])", r"\\\1", piece) for piece in pieces)
    return f"{variable}.matches({quoted(f'(?s)^{body}$')})"
