"""Values out of the text of a request, by the style table of OpenAPI: the other direction of
`millrace.services.openapi.styles`.

What is not spelled as its style says comes out as some text, which then does not fit the parameter's schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,37})")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,37})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_WORDS: Final = {"true": True, "false": False}
_MARKS: Final = {"spaceDelimited": re.compile(r"%20|\+| "), "pipeDelimited": re.compile(r"%7[Cc]|\|")}
_COMMA: Final = re.compile(",")

Typed = Callable[[str, str], Any]
"""A text and the property that it is of (empty for the value itself or an item) → its value."""


def typed(text: str, kind: str) -> Any:
    """A text as a value of the type, where it spells one; otherwise the text."""
    if kind == "boolean":
        return _WORDS.get(text, text)
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    return text


def from_path(text: str, kind: str, typed: Typed, *, name: str, style: str, explode: bool) -> Any:
    """``simple``, ``label`` or ``matrix``; ``text`` is still encoded."""
    mark = ","
    if style == "label":
        text, mark = text.removeprefix("."), "." if explode else ","
    elif style == "matrix":
        if explode and kind in ("array", "object"):
            parts = text.removeprefix(";").split(";")
            pairs = [part.partition("=")[::2] for part in parts]
            return _put_together(pairs, kind, typed, unquote)
        text = text.removeprefix(f";{name}=")
    return _parted(text, kind, typed, unquote, _exactly(mark), explode=explode)


def from_header(text: str, kind: str, typed: Typed, *, explode: bool) -> Any:
    """``simple``; spaces around items do not count."""
    return _parted(text, kind, typed, str.strip, _COMMA, explode=explode)


def from_query(
    pairs: Sequence[tuple[str, str]],
    kind: str,
    typed: Typed,
    *,
    name: str,
    style: str,
    explode: bool,
    fields: Sequence[str],
) -> Any:
    """``pairs`` are all pairs of the query, still encoded; None where the parameter is not among them. ``fields`` are
    the declared properties of an object, which stand for themselves where it is exploded."""
    if kind == "object" and style == "deepObject":
        head = f"{name}["
        found = [(unquote_plus(key), value) for key, value in pairs]
        inner = [(key[len(head) : -1], value) for key, value in found if key.startswith(head) and key.endswith("]")]
        return _put_together(inner, kind, typed, unquote_plus) if inner else None
    if kind == "object" and explode:
        inner = [(key, value) for key, value in pairs if unquote_plus(key) in fields]
        return _put_together(inner, kind, typed, unquote_plus) if inner else None
    own = [value for key, value in pairs if unquote_plus(key) == name]
    if not own:
        return None
    if kind == "array" and explode:
        return [typed(unquote_plus(value), "") for value in own]
    return _parted(own[0], kind, typed, unquote_plus, _MARKS.get(style, _COMMA), explode=False)


def from_cookies(
    cookies: Sequence[tuple[str, str]], kind: str, typed: Typed, *, name: str, explode: bool, fields: Sequence[str]
) -> Any:
    """``form``; None where the parameter is not among the cookies."""
    if kind == "object" and explode:
        inner = [(key, value) for key, value in cookies if key in fields]
        return _put_together(inner, kind, typed, unquote) if inner else None
    own = [value for key, value in cookies if unquote(key) == name]
    if not own:
        return None
    if kind == "array" and explode:
        return [typed(unquote(value), "") for value in own]
    return _parted(own[0], kind, typed, unquote, _COMMA, explode=False)


def _exactly(mark: str) -> re.Pattern[str]:
    return re.compile(re.escape(mark))


def _parted(
    text: str, kind: str, typed: Typed, decoded: Callable[[str], str], mark: re.Pattern[str], *, explode: bool
) -> Any:
    if kind == "array":
        return [typed(decoded(part), "") for part in mark.split(text)] if text else []
    if kind != "object":
        return typed(decoded(text), "")
    parts = mark.split(text) if text else []
    if explode:
        return _put_together([part.partition("=")[::2] for part in parts], kind, typed, decoded)
    if len(parts) % 2:
        return decoded(text)
    return _put_together(list(zip(parts[::2], parts[1::2], strict=True)), kind, typed, decoded)


def _put_together(
    pairs: Sequence[tuple[str, str]], kind: str, typed: Typed, decoded: Callable[[str], str]
) -> list[Any] | dict[str, Any]:
    if kind == "array":
        return [typed(decoded(value), "") for _, value in pairs]
    found: dict[str, Any] = {}
    for key, value in pairs:
        name = decoded(key)
        one = typed(decoded(value), name)
        if name in found:  # a name that is given again makes a list
            before = found[name]
            found[name] = [*before, one] if isinstance(before, list) else [before, one]
        else:
            found[name] = one
    return found
