"""JSON-like values whose texts may hold ``{{ expression }}``.

A text that is one expression and nothing else becomes the expression's value, whatever its type; any other text is
put together. Rendering is a single pass: what comes out of data is never looked at for braces again. ``{{{{`` writes
``{{``. Keys of maps are never rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import ExpressionError
from millrace.base.limits import DOCUMENT_BYTES, DOCUMENT_DEPTH, VALUE_BYTES
from millrace.expr.expression import CACHED, Expression, check_length, read_braced
from millrace.expr.faults import NOWHERE, Site, explained
from millrace.expr.frame import Frame
from millrace.expr.fuel import Fuel, text_bytes
from millrace.expr.notes import Note
from millrace.expr.paths import ReadPath
from millrace.expr.scope import Scope
from millrace.expr.secrets import Place, SecretRef, SecretText
from millrace.expr.values import check_size, json_text, scalar_text

_COPIES: Final = 8  # so many whole values may be copied into one result before its size is counted
Render = Callable[[Frame], Any]


class ExpressionSite(Struct, frozen=True):
    """``place`` is where the text is in the value; the expression knows its offset in the text."""

    place: Place
    expression: Expression


class Template:
    """``sites`` are its expressions in document order; ``paths`` and ``guarded_paths`` as of an `Expression`."""

    __slots__ = ("_run", "guarded_paths", "is_constant", "paths", "sites", "slots", "value", "warnings")

    def __init__(self, value: Any, run: Render | None, sites: list[ExpressionSite], notes: list[Note]) -> None:
        self.value = value
        self._run = run
        self.is_constant = not sites and run is None
        self.sites = tuple(sites)
        self.slots = max((site.expression.slots for site in sites), default=0)
        self.paths: frozenset[ReadPath] = frozenset(path for site in sites for path in site.expression.paths)
        strict = frozenset(read.path for site in sites for read in site.expression.reads if not read.guarded)
        self.guarded_paths: frozenset[ReadPath] = self.paths - strict
        self.warnings = (*notes, *(note for site in sites for note in site.expression.warnings))

    def render(self, env: Mapping[str, Any], *, fuel: Fuel | None = None) -> Any:
        """The value with every expression evaluated. Constant parts are shared, not copied.

        Raises ExpressionError; ``facts["place"]`` is where in the value the expression stands.
        """
        if self._run is None:
            return self.value
        return self.value_in(Frame(env, Fuel() if fuel is None else fuel, self.slots))

    def value_in(self, frame: Frame) -> Any:
        """`render` in a frame that the caller keeps for many evaluations; it needs ``slots`` slots."""
        if self._run is None:
            return self.value
        value = self._run(frame)
        if len(self.sites) > _COPIES:
            check_size(value, VALUE_BYTES, self.sites[0].expression.site)
        return value


def compile_template(value: Any, *, scope: Scope | None = None) -> Template:
    """Compiles every text in a JSON-like value. Raises ExpressionError with ``facts["place"]``."""
    builder = _Builder(scope)
    run = builder.compile(value, ())
    return Template(value, run, builder.sites, builder.notes)


class _Builder:
    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope
        self.sites: list[ExpressionSite] = []
        self.notes: list[Note] = []

    def compile(self, value: Any, place: Place) -> Render | None:
        """The renderer of a value, or None when it renders to itself."""
        if isinstance(value, str):
            return self._text(value, place) if "{{" in value else None
        if not isinstance(value, list | dict):
            return None
        if len(place) > DOCUMENT_DEPTH:
            fault = NOWHERE.fault("depth", f"the value is nested deeper than {DOCUMENT_DEPTH} levels")
            raise _placed(fault, place)
        if isinstance(value, list):
            return self._list(value, [self.compile(entry, (*place, at)) for at, entry in enumerate(value)])
        self.notes.extend(
            Note("template-key", "warning", 0, len(key), "the key of a map is taken as it is, {{ included")
            for key in value
            if isinstance(key, str) and "{{" in key
        )
        return self._map(value, {key: self.compile(entry, (*place, key)) for key, entry in value.items()})

    def _list(self, value: list[Any], runs: list[Render | None]) -> Render | None:
        if not any(runs):
            return None

        def items(frame: Frame) -> Any:
            return [entry if run is None else run(frame) for entry, run in zip(value, runs, strict=True)]

        return items

    def _map(self, value: dict[str, Any], runs: dict[str, Render | None]) -> Render | None:
        dynamic = [(key, run) for key, run in runs.items() if run is not None]
        if not dynamic:
            return None

        def fields(frame: Frame) -> Any:
            result = dict(value)
            for key, run in dynamic:
                result[key] = run(frame)
            return result

        return fields

    def _text(self, text: str, place: Place) -> Render | None:
        try:
            pieces = _pieces(text, self.scope)
        except ExpressionError as error:
            raise _placed(error, place) from None
        self.sites.extend(ExpressionSite(place, piece) for piece in pieces if isinstance(piece, Expression))
        render = _whole(pieces[0]) if len(pieces) == 1 and isinstance(pieces[0], Expression) else _joined(pieces)

        def placed(frame: Frame) -> Any:
            try:
                return render(frame)
            except ExpressionError as error:
                raise _placed(error, place) from None

        return placed


def _placed(error: ExpressionError, place: Place) -> ExpressionError:
    error.facts.setdefault("place", list(place))
    return explained(error)


@lru_cache(maxsize=CACHED)
def _pieces(text: str, scope: Scope | None) -> tuple[str | Expression, ...]:
    """Literal texts and expressions, in order."""
    if len(text) > DOCUMENT_BYTES:
        check_length(text)
    pieces: list[str | Expression] = []
    literal, position = "", 0
    while True:
        start = text.find("{{", position)
        if start < 0:
            break
        literal += text[position:start]
        if text.startswith("{{{{", start):
            literal += "{{"
            position = start + 4
            continue
        parser, node, position = read_braced(text, scope, start)
        check_length(text[start:position])
        if literal:
            pieces.append(literal)
            literal = ""
        pieces.append(Expression(parser, node))
    literal += text[position:]
    if literal or not pieces:
        pieces.append(literal)
    return tuple(pieces)


def _whole(expression: Expression) -> Render:
    return expression.value_in


def _joined(pieces: tuple[str | Expression, ...]) -> Render:
    def joined(frame: Frame) -> Any:
        parts: list[str | SecretRef] = []
        secret = False
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(piece)
                continue
            value = piece.value_in(frame)
            if type(value) is SecretText:
                secret = True
                parts.extend(value.parts)
            else:
                parts.append(_as_text(value, frame.fuel, piece.site))
        if secret:
            return SecretText(_merged(parts))
        return "".join(part for part in parts if isinstance(part, str))

    return joined


def _as_text(value: Any, fuel: Fuel, site: Site) -> str:
    """How a value reads inside a text."""
    if type(value) is str:
        fuel.grow(text_bytes(value), site)
        return value
    if value is None:
        hint = "give another value: {{ value ?? '' }}"
        raise site.fault("null-text", f"{site.text} is null and cannot be put into a text", hint=hint, read=site.text)
    if isinstance(value, list | dict):
        return json_text(value, fuel, site)
    text = scalar_text(value, site)
    fuel.grow(len(text), site)
    return text


def _merged(parts: list[str | SecretRef]) -> tuple[str | SecretRef, ...]:
    """Neighbouring literal texts as one; empty ones dropped."""
    merged: list[str | SecretRef] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return tuple(merged)
