"""Bare names: ``build_version`` is looked for in ``config``, then in ``state``, then among the tasks.

A name that nothing declares has to come from outside, so it becomes a field of the input, which a start then has to
give. Our own analysis of expressions does the reading; what is replaced are the names it reports, where they stand.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.expr import Expression, Scope, Template, compile_expression, compile_template
from millrace.spec.scopes import WORKFLOW_ROOTS

_ROOTS: Final = WORKFLOW_ROOTS | {"item", "index", "event", "error", "state", "output"}
_SUPPLIED: Final = ("config", "state")


class Names:
    """``undeclared`` maps each name that became an input to whether it was only read as a condition.

    ``config`` and ``state`` are the declared names, None where the document has no such block; then ``config.x`` is
    the input's ``config.x``. ``closed`` says that the document declares its inputs.
    """

    def __init__(
        self, config: Collection[str] | None, state: Collection[str] | None, tasks: Collection[str], *, closed: bool
    ) -> None:
        self.undeclared: dict[tuple[str, ...], bool] = {}
        self._aliases: dict[str, str] = {name: _path("tasks", name) + ".output" for name in tasks}
        self._aliases |= {name: _path("state", name) for name in state or ()}
        self._aliases |= {name: _path("config", name) for name in config or ()}
        given = {name for name, block in zip(_SUPPLIED, (config, state), strict=True) if block is None}
        self._aliases |= {name: f"input.{name}" for name in given}
        self._given, self._closed = given, closed
        self._roots = frozenset(_ROOTS - given)

    def rewrite(self, text: str, *, bare: bool = False) -> str:
        """The text with our names; as it is if it does not compile, for the checks to say why."""
        if not bare and "{{" not in text:
            return text
        while True:
            scope = Scope(self._roots | frozenset(self._aliases.values()), aliases={**self._aliases, "inputs": "input"})
            try:
                compiled = compile_expression(text, scope=scope) if bare else compile_template(text, scope=scope)
            except ExpressionError as error:
                if error.facts.get("reason") != "unknown-root":
                    return text
                name = str(error.facts["read"])
                self._aliases[name] = _path("input", name)
                continue
            self._note(compiled, bare=bare)
            return _renamed(text, compiled)

    def _note(self, compiled: Expression | Template, *, bare: bool) -> None:
        for path in compiled.paths:
            root, _, field = path.root.partition(".")
            names = [part for part in path.segments[:1] if isinstance(part, str)]
            if root != "input" or (not field and (self._closed or not names)):
                continue
            name: tuple[str, ...] = (field or names[0],)
            if field in self._given:
                if not names:
                    continue
                name = (field, names[0])
            whole = bare and isinstance(compiled, Expression) and compiled.reads[0].length == compiled.length
            self.undeclared[name] = self.undeclared.get(name, True) and whole

    def schema(self, declared: dict[str, Any]) -> dict[str, Any]:
        """The input schema with what the expressions read and nothing declares."""
        schema: dict[str, Any] = {"type": "object", **declared}
        for name, condition in sorted(self.undeclared.items()):
            _require(schema, name, {"type": "boolean"} if condition else {})
        return schema


def _path(root: str, name: str) -> str:
    return f"{root}.{name}" if name.replace("-", "_").isidentifier() else f'{root}["{name}"]'


def _require(schema: dict[str, Any], name: tuple[str, ...], leaf: dict[str, Any]) -> None:
    """Adds a required property, with the objects on its way; what is declared already stays."""
    head, *rest = name
    properties = schema["properties"] = dict(schema.get("properties") or {})
    if rest:
        inner = dict(properties.get(head) or {"type": "object"})
        _require(inner, tuple(rest), leaf)
        properties[head] = inner
    elif head in properties:
        return
    else:
        properties[head] = leaf
    required = list(schema.get("required") or [])
    schema["required"] = required if head in required else [*required, head]


def _renamed(text: str, compiled: Expression | Template) -> str:
    notes = [note for note in compiled.warnings if note.code == "alias"]
    for note in sorted(notes, key=lambda note: note.offset, reverse=True):
        text = text[: note.offset] + note.fix + text[note.offset + note.length :]
    return text
