"""JSON values as expressions see them: kinds, equality, order, size and text.

A value is None, bool, int, float, str, list or a mapping with text keys, or a `SecretText`. Kinds are told by type,
so that true is never 1. Number texts follow ECMAScript (as RFC 8785 does); objects are written with sorted keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.base.limits import INTEGER_DIGITS, JSON_DEPTH
from millrace.expr.faults import Site, listed
from millrace.expr.fuel import Fuel, text_bytes
from millrace.expr.secrets import SecretText

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
DEPTH_MAX: Final = 2 * JSON_DEPTH
_WIDEST: Final = 10**INTEGER_DIGITS

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    SecretText: "secret",
}
_SCALARS: Final = frozenset({type(None), bool, int, float, str})


def kind(value: object) -> str:
    """``null``, ``bool``, ``int``, ``double``, ``string``, ``list``, ``map``, ``secret``, or ``foreign``."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    return "map" if isinstance(value, Mapping) else "foreign"


def described(value: object) -> str:
    """What a value is, for a message: its kind and, for a map, its keys. Never its content."""
    what = kind(value)
    if what == "map" and isinstance(value, Mapping):
        keys = [str(key)[:60] for key in list(value)[:50]]
        return f"a map with {listed(keys)}" if keys else "an empty map"
    if what == "list" and isinstance(value, list):
        return f"a list of {len(value)}"
    return {"null": "null", "int": "an int", "foreign": "not a JSON value"}.get(what, f"a {what}")


def secret_fault(site: Site) -> ExpressionError:
    return site.fault(
        "secret-use",
        "a secret can only be copied or put into a text",
        hint="use it whole, as in {{secrets.name}}, in headers, auth, query or body of a call",
    )


def equal(left: Any, right: Any, fuel: Fuel, site: Site, depth: int = 0) -> bool:
    """CEL's equality: numbers by value across int and double, other kinds never equal to each other.

    Raises ExpressionError (``secret-use``, ``depth``, ``fuel``).
    """
    kinds = type(left), type(right)
    if kinds[0] is kinds[1] and kinds[0] in _SCALARS:
        if kinds[0] is str and len(left) > 64:
            fuel.spend(len(left) >> 6, site)
        return bool(left == right)
    if SecretText in kinds:
        raise secret_fault(site)
    if kinds in {(int, float), (float, int)}:
        return bool(left == right)
    names = kind(left), kind(right)
    if names[0] != names[1] or names[0] not in {"list", "map"} or len(left) != len(right):
        return False
    if depth > DEPTH_MAX:
        raise site.fault("depth", f"a value here is nested deeper than {DEPTH_MAX} levels")
    fuel.spend(len(left) + 1, site)
    if names[0] == "list":
        return all(equal(one, two, fuel, site, depth + 1) for one, two in zip(left, right, strict=True))
    return all(key in right and equal(entry, right[key], fuel, site, depth + 1) for key, entry in left.items())


def number_text(value: float, site: Site) -> str:
    """The ECMAScript text of a number: ``1``, ``0.1``, ``1e+21``. Ints are written in full."""
    if type(value) is int:
        if not -_WIDEST < value < _WIDEST:
            raise site.fault("overflow", f"an integer here has more than {INTEGER_DIGITS} digits")
        return str(value)
    if not isfinite(value):
        raise site.fault("overflow", "a number here is not finite")
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return "0" if value == 0 else text.removesuffix(".0")
    power = int(exponent)
    if power >= 21 or power < -6:
        return f"{mantissa.removesuffix('.0')}e{power:+d}"
    digits = mantissa.replace(".", "").lstrip("-")
    whole = digits + "0" * (power + 1 - len(digits)) if power > 0 else "0." + "0" * (-power - 1) + digits
    return "-" + whole if value < 0 else whole


_ESCAPES: Final = {ord('"'): '\\"', ord("\\"): "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"} | {
    code: f"\\u{code:04x}" for code in range(32) if code not in {8, 9, 10, 12, 13}
}


def json_text(value: Any, fuel: Fuel, site: Site) -> str:
    """Compact JSON with sorted keys, charged before each piece is made."""
    pieces: list[str] = []
    _write(value, pieces, fuel, site, 0)
    return "".join(pieces)


def _write(value: Any, pieces: list[str], fuel: Fuel, site: Site, depth: int) -> None:
    what = kind(value)
    fuel.spend(1, site)
    if what in {"list", "map"}:
        if depth > DEPTH_MAX:
            raise site.fault("depth", f"a value here is nested deeper than {DEPTH_MAX} levels")
        fuel.grow(len(value) + 2, site)
        separator = "[" if what == "list" else "{"
        for entry in value if what == "list" else sorted(value):
            pieces.append(separator)
            separator = ","
            if what == "map":
                _write(entry, pieces, fuel, site, depth + 1)
                pieces.append(":")
                entry = value[entry]
            _write(entry, pieces, fuel, site, depth + 1)
        empty = "[]" if what == "list" else "{}"
        pieces.append(empty[1] if len(value) else empty)
        return
    if what == "string":
        fuel.grow(text_bytes(value) + 2, site)
        pieces.append('"' + value.translate(_ESCAPES) + '"')
        return
    text = scalar_text(value, site)
    fuel.grow(len(text), site)
    pieces.append(text)


def scalar_text(value: Any, site: Site) -> str:
    """The text of null, a bool or a number. Raises ExpressionError (``secret-use``, ``type``, ``overflow``)."""
    what = kind(value)
    if what in {"int", "double"}:
        return number_text(value, site)
    if what == "bool":
        return "true" if value else "false"
    if what == "null":
        return "null"
    if what == "secret":
        raise secret_fault(site)
    raise site.fault("type", "a value here is not a JSON value", found=what)


def weigh(value: Any, room: int, memo: dict[int, int], depth: int = 0) -> int:
    """A lower bound of a value's size as JSON, in bytes; at least ``room`` + 1 when it does not fit.

    Shared parts are counted as often as they occur but walked once, so that a small value that refers to itself
    many times over is told from a large one without writing it out. Answers -1 when it is nested too deep.
    """
    if type(value) is str:
        return len(value) + 2
    if not isinstance(value, list | dict):
        return 1
    known = memo.get(id(value))
    if known is not None:
        return known
    if depth > DEPTH_MAX:
        return -1
    total = 1 + len(value)
    entries: Iterable[Any] = value
    if isinstance(value, dict):
        entries = value.values()
        total += sum(map(len, value))
    for entry in entries:
        size = weigh(entry, room - total, memo, depth + 1)
        if size < 0:
            return -1
        total += size
        if total > room:
            return total
    memo[id(value)] = total
    return total


def check_size(value: Any, room: int, site: Site) -> int:
    """The weight of a value that must fit ``room`` bytes. Raises ExpressionError (``size``, ``depth``)."""
    size = weigh(value, room, {})
    if size < 0:
        raise site.fault("depth", f"the result is nested deeper than {DEPTH_MAX} levels")
    if size > room:
        raise site.fault("size", "the result is larger than is allowed", hint="select fewer items or fields")
    return size
