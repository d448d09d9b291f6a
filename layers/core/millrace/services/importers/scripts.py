"""Expressions of sources that compute much as ours do: read token by token, and written in our spelling.

Only what is known is taken over; anything else makes the whole expression one that cannot be mapped. Nothing is
evaluated here. What comes out is compiled once more by our own compiler, so a mistake of this reader cannot pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from millrace.base.errors import ExpressionError
from millrace.expr import compile_expression
from millrace.services.importers.spelling import below, quoted

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")|(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[$A-Za-z_][\w$]*)|(?P<mark>===|!==|==|!=|<=|>=|&&|\|\||\?\?|\?\.|[-+*/%<>!?:.,()\[\]|~]))""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_CONTROL: Final = {"n": "\n", "t": "\t", "r": "\r"}
_LONGEST: Final = 8_192
_DEEPEST: Final = 24
_WORDS: Final = {"true": "true", "false": "false", "null": "null", "undefined": "null"}
_BINARY: Final = {
    "===": "==",
    "!==": "!=",
    **{mark: mark for mark in ("==", "!=", "<=", ">=", "<", ">", "&&", "||", "??", "+", "-", "*", "/", "%")},
    "?": "?",
    ":": ":",
}


class Unknown(Exception):
    """Something in an expression that has no counterpart."""


class Part(Struct, frozen=True):
    """One step of a path: a name behind a dot or in brackets, a position, or a call with its arguments (ours)."""

    kind: Literal["name", "index", "call"]
    name: str = ""
    index: int = 0
    arguments: tuple[str, ...] = ()


Resolve = Callable[[Sequence[Part]], tuple[str, int]]
"""Takes a path from its root; answers our expression for the beginning of it, and how many parts that takes up. Raises
Unknown."""


class Grammar(Struct, frozen=True):
    """What one source's expressions may hold beside paths. ``words`` are operators that are words; ``methods`` and
    ``filters`` give, for a name, a format of our expression over ``{0}`` (the value) and further arguments."""

    resolve: Resolve
    words: Mapping[str, str]
    methods: Mapping[str, str]
    filters: Mapping[str, str]


def translated(source: str, grammar: Grammar) -> str:
    """Our expression. Raises Unknown."""
    if len(source) > _LONGEST:
        raise Unknown("the expression is too long")
    reader = _Reader(source, grammar)
    made = reader.expression(0)
    rest = reader.peek()
    if rest is not None:
        raise Unknown(f"{rest[1]!r} is not understood here")
    try:
        compile_expression(made)
    except ExpressionError as error:
        raise Unknown(error.message) from None
    return made


class _Reader:
    def __init__(self, source: str, grammar: Grammar) -> None:
        self._grammar = grammar
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while source[position:].strip():
            match = _TOKEN.match(source, position)
            if match is None or match.lastgroup is None:
                raise Unknown(f"{source[position:].strip()[:20]!r} is not understood")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> tuple[str, str]:
        token = self.peek()
        if token is None:
            raise Unknown("the expression ends early")
        self._at += 1
        return token

    def _sees(self, mark: str) -> bool:
        return self.peek() == ("mark", mark)

    def _take(self, mark: str) -> bool:
        if self._sees(mark):
            self._at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise Unknown(f"{mark} is missing")

    def expression(self, depth: int) -> str:
        """Operands and operators up to whatever closes them. The order of operators is the same in all languages
        concerned, so it need not be known here."""
        if depth > _DEEPEST:
            raise Unknown("the expression is nested too deeply")
        out = [self._operand(depth)]
        while (token := self.peek()) is not None:
            kind, word = token
            if kind == "mark" and word in _BINARY:
                out.append(_BINARY[word])
            elif kind == "name" and word in self._grammar.words and self._grammar.words[word] != "!":
                out.append(self._grammar.words[word])
            else:
                break
            self._at += 1
            out.append(self._operand(depth))
        return " ".join(out)

    def _operand(self, depth: int) -> str:
        signs = ""
        while (token := self.peek()) is not None:
            kind, word = token
            if (kind == "mark" and word in "!-") or (kind == "name" and self._grammar.words.get(word) == "!"):
                signs += "!" if word != "-" else "-"
                self._at += 1
            else:
                break
        return signs + self._primary(depth)

    def _primary(self, depth: int) -> str:
        kind, word = self._next()
        if kind == "text":
            made, parts = quoted(_ESCAPE.sub(lambda m: _CONTROL.get(m[1], m[1]), word[1:-1])), self._parts(depth)
        elif kind == "number":
            made, parts = word, []
        elif kind == "name" and word in _WORDS:
            made, parts = _WORDS[word], []
        elif kind == "name":
            parts = [Part("name", word), *self._parts(depth)]
            made, used = self._grammar.resolve(parts)
            parts = parts[used:]
        elif word == "(":
            made = f"({self.expression(depth + 1)})"
            self._expect(")")
            parts = self._parts(depth)
        elif word == "[":
            made, parts = f"[{', '.join(self._arguments(']', depth))}]", self._parts(depth)
        else:
            raise Unknown(f"{word!r} is not understood here")
        return self._filtered(self._stepped(made, parts), depth)

    def _parts(self, depth: int) -> list[Part]:
        found: list[Part] = []
        while True:
            if self._take(".") or self._take("?."):
                kind, word = self._next()
                if kind != "name":
                    raise Unknown("a name is missing behind a dot")
                found.append(Part("name", word))
            elif self._take("["):
                kind, word = self._next()
                if kind == "text":
                    found.append(Part("name", word[1:-1]))
                elif kind == "number" and word.isdigit():
                    found.append(Part("index", index=int(word[:9])))
                else:
                    raise Unknown("a computed position")
                self._expect("]")
            elif self._take("("):
                found.append(Part("call", arguments=tuple(self._arguments(")", depth))))
            else:
                return found

    def _arguments(self, end: str, depth: int) -> list[str]:
        found: list[str] = []
        if self._take(end):
            return found
        while True:
            found.append(self.expression(depth + 1))
            if self._take(end):
                return found
            self._expect(",")

    def _stepped(self, made: str, parts: Sequence[Part]) -> str:
        at = 0
        while at < len(parts):
            part = parts[at]
            called = at + 1 < len(parts) and parts[at + 1].kind == "call"
            if part.kind == "name" and (called or part.name == "length"):
                key = f"{part.name}()" if called else part.name
                form = self._grammar.methods.get(key)
                if form is None:
                    raise Unknown(f"{part.name} is not known here")
                made = filled(form, made, parts[at + 1].arguments if called else ())
                at += 1 + called
            elif part.kind == "call":
                raise Unknown("a call that is not known here")
            else:
                made = below(made, part.name if part.kind == "name" else part.index)
                at += 1
        return made

    def _filtered(self, made: str, depth: int) -> str:
        while self._grammar.filters and self._take("|"):
            kind, word = self._next()
            arguments = self._arguments(")", depth) if self._take("(") else []
            form = self._grammar.filters.get(word) if kind == "name" else None
            if form is None:
                raise Unknown(f"the filter {word} is not known here")
            made = filled(form, made, arguments)
        return made


def filled(form: str, value: str, arguments: Sequence[str]) -> str:
    """A format with the value in the place of ``{0}``, and the arguments of a call in those behind."""
    wanted = len(set(re.findall(r"\{(\d)\}", form))) - 1
    if wanted != len(arguments):
        raise Unknown(f"{len(arguments)} arguments where {wanted} are expected")
    given = [value, *arguments]
    return re.sub(r"\{(\d)\}", lambda match: given[int(match[1])], form)
