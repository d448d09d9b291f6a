"""The style table of OpenAPI (3.0 and 3.1, Parameter Object, "Style Examples") as expressions.

Each function answers an expression whose value is text, from an expression whose value is a scalar, an array or an
object of scalars. ``kind`` is that of the parameter's schema; ``any`` is spelled as a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from millrace.services.openapi.encoding import encoded, encoded_text, kept, literal, percent, plain

Spell = Callable[[str], str]
STYLES: Final = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""Where a parameter stands → its styles, the default first."""


def joined(value: str, kind: str, *, item: str, pair: str, spell: Spell, lead: str = "") -> str:
    """A scalar; the items of an array between ``item``; the names and values of an object with ``pair`` in between.
    ``lead`` is text before each item."""
    before = f"{literal(lead)} + " if lead else ""
    if kind == "array":
        return f"{value}.map(v, {before}{spell('v')}).join({literal(item)})"
    if kind == "object":
        return f"{value}.map(k, {spell('k')} + {literal(pair)} + {spell(f'{value}[k]')}).join({literal(item)})"
    return before + spell(value)


def in_path(value: str, kind: str, *, name: str, style: str, explode: bool) -> str:
    """``simple``, ``label`` or ``matrix``."""
    pair = "=" if explode else ","
    if style == "label":
        return "'.' + " + joined(value, kind, item="." if explode else ",", pair=pair, spell=encoded)
    if style == "matrix":
        head = f";{percent(name)}="
        if kind == "array" and explode:
            return joined(value, kind, item="", pair=pair, spell=encoded, lead=head)
        if kind == "object" and explode:
            return "';' + " + joined(value, kind, item=";", pair=pair, spell=encoded)
        return f"{literal(head)} + " + joined(value, kind, item=",", pair=pair, spell=encoded)
    return joined(value, kind, item=",", pair=pair, spell=encoded)


def in_header(value: str, kind: str, *, explode: bool) -> str:
    """``simple``; values go into a header as they are."""
    return joined(value, kind, item=",", pair="=" if explode else ",", spell=plain)


def in_query(value: str, kind: str, *, name: str, style: str, explode: bool, reserved: bool) -> str:
    """``name=value`` as it stands in a URL, for what the http task's query block cannot say."""
    spell = kept if reserved else encoded
    head = percent(name)
    if kind == "object" and style == "deepObject":
        # Brackets are encoded, as in the table of the specification.
        left = f"{literal(head + '%5B')} + {spell('k')} + '%5D=' + {spell(f'{value}[k]')}"
        return f"{value}.map(k, {left}).join('&')"
    if explode and kind == "object":
        return joined(value, kind, item="&", pair="=", spell=spell)
    if explode and kind == "array":
        return joined(value, kind, item="&", pair="=", spell=spell, lead=f"{head}=")
    mark = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(style, ",")
    return f"{literal(head + '=')} + " + joined(value, kind, item=mark, pair=mark, spell=spell)


def in_cookie(value: str, kind: str, *, name: str, explode: bool) -> str:
    """``form``; exploded values are cookies of their own."""
    head = f"{percent(name)}="
    if explode and kind == "array":
        return joined(value, kind, item="; ", pair="=", spell=encoded_text, lead=head)
    if explode and kind == "object":
        return joined(value, kind, item="; ", pair="=", spell=encoded_text)
    return f"{literal(head)} + " + joined(value, kind, item=",", pair=",", spell=encoded_text)


def query_block(kind: str, *, explode: bool, reserved: bool) -> bool:
    """Whether the http task's query block spells the parameter: scalars, and arrays that repeat their name."""
    if reserved:
        return False
    return kind not in ("array", "object") or (kind == "array" and explode)
