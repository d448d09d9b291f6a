"""What the built-in functions and methods do. Positions and lengths in texts count code points."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from millrace.expr.faults import Site
from millrace.expr.fuel import Fuel, text_bytes
from millrace.expr.operators import POINTER_BYTES, checked_double, checked_int, is_in, type_fault
from millrace.expr.patterns import found_in
from millrace.expr.values import described, kind, number_text, secret_fault

Function = Callable[..., Any]
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "t": True, "1": True} | {
    "false": False,
    "False": False,
    "FALSE": False,
    "f": False,
    "0": False,
}
_SPACE: Final = " \t\n\r\f\v\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" + (
    "\u2028\u2029\u202f\u205f\u3000"
)
_LOWER: Final = {code: code + 32 for code in range(65, 91)}
_UPPER: Final = {code: code - 32 for code in range(97, 123)}
_TYPE_NAMES: Final = {"null": "null_type"}


def _texts(site: Site, name: str, *values: Any) -> None:
    for value in values:
        if type(value) is not str:
            if kind(value) == "secret":
                raise secret_fault(site)
            raise site.fault("type", f"{name} works on texts, and this is {described(value)}", found=kind(value))


def _whole(site: Site, name: str, value: Any) -> int:
    if type(value) is not int:
        raise site.fault("type", f"{name} needs an int here, and this is {described(value)}", found=kind(value))
    return value


def _scanned(fuel: Fuel, site: Site, text: str) -> None:
    fuel.spend(1 + (len(text) >> 4), site)


# --- functions


def size(site: Site, _fuel: Fuel, value: Any) -> int:
    if kind(value) in {"string", "list", "map"}:
        return len(value)
    raise type_fault(site, "size", value)


def type_name(site: Site, _fuel: Fuel, value: Any) -> str:
    what = kind(value)
    if what in {"secret", "foreign"}:
        raise type_fault(site, "type", value)
    return _TYPE_NAMES.get(what, what)


def to_int(site: Site, _fuel: Fuel, value: Any) -> int:
    if type(value) is int:
        return checked_int(value, site)
    if type(value) is float:
        return checked_int(int(checked_double(value, site)), site)
    if type(value) is str:
        if _INTEGER.fullmatch(value):
            return checked_int(int(value), site)
        raise site.fault("conversion", "this text is not an integer of 64 bits", hint="int(double(text)) cuts decimals")
    raise type_fault(site, "int", value)


def to_double(site: Site, _fuel: Fuel, value: Any) -> float:
    if type(value) is int:
        return float(checked_int(value, site))
    if type(value) is float:
        return checked_double(value, site)
    if type(value) is str:
        if len(value) <= 400 and _NUMBER.fullmatch(value):
            return checked_double(float(value), site)
        raise site.fault("conversion", "this text is not a number", hint="write it as 1, 1.5 or 1e3")
    raise type_fault(site, "double", value)


def to_bool(site: Site, _fuel: Fuel, value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value) is str:
        if value in _BOOLS:
            return _BOOLS[value]
        raise site.fault("conversion", "this text is neither true nor false", hint="compare it: text == 'yes'")
    raise type_fault(site, "bool", value)


def to_string(site: Site, fuel: Fuel, value: Any) -> str:
    what = kind(value)
    if what == "string":
        return str(value)
    if what == "bool":
        return "true" if value else "false"
    if what in {"int", "double"}:
        text = number_text(value, site)
        fuel.grow(len(text), site)
        return text
    raise type_fault(site, "string", value)


def dyn(site: Site, _fuel: Fuel, value: Any) -> Any:
    if kind(value) == "secret":
        raise secret_fault(site)
    return value


# --- methods of texts


def contains(site: Site, fuel: Fuel, text: Any, part: Any) -> bool:
    _texts(site, "contains", text, part)
    _scanned(fuel, site, text)
    return part in text


def includes(site: Site, fuel: Fuel, value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return is_in(part, value, fuel, site)
    _texts(site, "includes", value, part)
    _scanned(fuel, site, value)
    return part in value


def starts_with(site: Site, _fuel: Fuel, text: Any, part: Any) -> bool:
    _texts(site, "startsWith", text, part)
    return bool(text.startswith(part))


def ends_with(site: Site, _fuel: Fuel, text: Any, part: Any) -> bool:
    _texts(site, "endsWith", text, part)
    return bool(text.endswith(part))


def matches(site: Site, fuel: Fuel, text: Any, pattern: Any) -> bool:
    _texts(site, "matches", text, pattern)
    fuel.spend(1 + (len(text) >> 2) + 8 * len(pattern), site)
    return found_in(text, pattern, site)


def lower_ascii(site: Site, fuel: Fuel, text: Any) -> str:
    _texts(site, "lowerAscii", text)
    fuel.grow(text_bytes(text), site)
    return str(text.translate(_LOWER))


def upper_ascii(site: Site, fuel: Fuel, text: Any) -> str:
    _texts(site, "upperAscii", text)
    fuel.grow(text_bytes(text), site)
    return str(text.translate(_UPPER))


def trim(site: Site, fuel: Fuel, text: Any) -> str:
    _texts(site, "trim", text)
    fuel.grow(text_bytes(text), site)
    return str(text.strip(_SPACE))


def split(site: Site, fuel: Fuel, text: Any, separator: Any, limit: Any = -1) -> list[str]:
    """``limit`` is the most pieces: 0 gives none, 1 the whole text, a negative number all."""
    _texts(site, "split", text, separator)
    most = _whole(site, "split", limit)
    _scanned(fuel, site, text)
    pieces = (len(text) if separator == "" else text.count(separator)) + 1
    if most >= 0:
        pieces = min(pieces, most)
    fuel.spend(pieces, site)
    fuel.grow(text_bytes(text) + POINTER_BYTES * pieces, site)
    if most == 0:
        return []
    if separator == "":
        if most < 0 or most >= len(text):
            return list(text)
        return [*text[: most - 1], text[most - 1 :]]
    return list(text.split(separator, most - 1 if most > 0 else -1))


def replace(site: Site, fuel: Fuel, text: Any, old: Any, new: Any, limit: Any = -1) -> str:
    """Replaces all occurrences, or the first ``limit``. An empty ``old`` stands between all characters."""
    _texts(site, "replace", text, old, new)
    most = _whole(site, "replace", limit)
    _scanned(fuel, site, text)
    times = text.count(old)
    if most >= 0:
        times = min(times, most)
    fuel.spend(times, site)
    fuel.grow(text_bytes(text) + times * text_bytes(new), site)
    return str(text.replace(old, new, times))


def substring(site: Site, fuel: Fuel, text: Any, first: Any, last: Any = None) -> str:
    """From ``first`` up to, not including, ``last``. Raises ExpressionError (``range``) outside of the text."""
    _texts(site, "substring", text)
    start = _whole(site, "substring", first)
    stop = len(text) if last is None else _whole(site, "substring", last)
    if not 0 <= start <= stop <= len(text):
        hint = "positions count from 0, and the first may not be behind the last"
        raise site.fault("range", f"there is no part {start} to {stop} in a text of {len(text)}", hint=hint)
    fuel.grow(text_bytes(text[start:stop]), site)
    return str(text[start:stop])


def char_at(site: Site, _fuel: Fuel, text: Any, position: Any) -> str:
    """The character at a position; empty just behind the last."""
    _texts(site, "charAt", text)
    at = _whole(site, "charAt", position)
    if not 0 <= at <= len(text):
        raise site.fault("range", f"there is no character {at} in a text of {len(text)}", hint="positions count from 0")
    return str(text[at : at + 1])


def index_of(site: Site, fuel: Fuel, text: Any, part: Any, first: Any = 0) -> int:
    """Where ``part`` first occurs at or after ``first``; -1 when it does not."""
    _texts(site, "indexOf", text, part)
    start = _position(site, "indexOf", text, first)
    _scanned(fuel, site, text)
    return int(text.find(part, start))


def last_index_of(site: Site, fuel: Fuel, text: Any, part: Any, last: Any = None) -> int:
    """Where ``part`` last begins at or before ``last``; -1 when it does not."""
    _texts(site, "lastIndexOf", text, part)
    stop = len(text) if last is None else _position(site, "lastIndexOf", text, last)
    _scanned(fuel, site, text)
    return int(text.rfind(part, 0, stop + len(part)))


def _position(site: Site, name: str, text: str, value: Any) -> int:
    at = _whole(site, name, value)
    if not 0 <= at <= len(text):
        raise site.fault("range", f"there is no position {at} in a text of {len(text)}", hint="positions count from 0")
    return at


def join(site: Site, fuel: Fuel, value: Any, separator: Any = "") -> str:
    if not isinstance(value, list):
        raise type_fault(site, "join", value)
    _texts(site, "join", separator, *value)
    fuel.spend(len(value), site)
    fuel.grow(sum(map(text_bytes, value)) + text_bytes(separator) * len(value), site)
    return str(separator.join(value))


FUNCTIONS: Final[dict[str, Function]] = {
    "bool": to_bool,
    "double": to_double,
    "dyn": dyn,
    "int": to_int,
    "matches": matches,
    "size": size,
    "string": to_string,
    "type": type_name,
}
METHODS: Final[dict[str, Function]] = {
    "charAt": char_at,
    "contains": contains,
    "endsWith": ends_with,
    "includes": includes,
    "indexOf": index_of,
    "join": join,
    "lastIndexOf": last_index_of,
    "lowerAscii": lower_ascii,
    "matches": matches,
    "replace": replace,
    "size": size,
    "split": split,
    "startsWith": starts_with,
    "substring": substring,
    "trim": trim,
    "upperAscii": upper_ascii,
}
