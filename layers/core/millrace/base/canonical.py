"""One JSON in and one JSON out, so that no two parts of the platform disagree about a value.

What `json` of the standard library lets through, and we do not: nesting without bound, NaN and infinities
(written out or by overflow), keys given twice, lone surrogates, integers that a store cannot hold. What goes out
has one spelling per value, so equal values have equal bytes and equal hashes.

``-0`` is the integer 0, ``-0.0`` stays a negative zero, ``1`` and ``1.0`` keep their types.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, Final, NoReturn

import msgspec

from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import INTEGER_DIGITS, JSON_DEPTH, JSON_NODES

# The closing quote is optional so that an unterminated string is consumed once: the scan stays linear.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKET: Final = bytes(set(range(256)) - set(b"[]{}"))
# Below 39 digits and with an exponent of two digits, no number is too long and none overflows a double.
_RISKY_NUMBER: Final = re.compile(rb"[0-9]{%d}|[eE]\+?[0-9]{3}" % (INTEGER_DIGITS + 1))
_LONG_DIGITS: Final = re.compile(rb"[0-9]{%d}" % (INTEGER_DIGITS + 1))
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]|[^\s\[\]{},:"]+', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_DUMP_DEPTH: Final = 256
_LARGEST: Final = 10**INTEGER_DIGITS


class _Refused(ValueError):
    """Raised inside a decoder hook, where the position is not known."""


def parse_json(data: bytes | str, *, depth: int = JSON_DEPTH) -> Any:
    """The value of one JSON text.

    Raises InvalidRequest, with ``line`` and ``column`` (both from 1, in characters) in its facts, on text that is
    not UTF-8 or not JSON, begins with a byte order mark, repeats a key, holds NaN, an infinity, a lone surrogate
    or an integer of more than INTEGER_DIGITS digits, or is nested deeper than ``depth``. Raises TooLarge past
    JSON_NODES values (an empty container counts twice). A reader of our own records, whose envelopes add levels
    to a user's value, passes a larger ``depth``, at most 256.
    """
    raw, text = _both(data)
    if text.startswith("\ufeff"):
        _fail("a JSON text must not begin with a byte order mark", text, 0, hint="Save the file as UTF-8 without BOM.")
    _check_shape(raw, text, depth)
    risky = _RISKY_NUMBER.search(raw)
    try:
        value = (_CAREFUL if risky else _FAST).decode(text)
    except json.JSONDecodeError as error:
        _fail(f"not valid JSON: {_sentence(error.msg)}", text, error.pos)
    except _Refused as error:
        _fail(error.args[0], text, _locate(text, *error.args))
    if _SURROGATE_ESCAPE.search(raw):
        _check_surrogates(text)
    return value


def dumps(value: Any) -> bytes:
    """The canonical JSON of a value: keys sorted by code point, no white space, UTF-8, shortest floats.

    Takes None, bool, int, float, str, list, tuple and dict with string keys. Raises InvalidRequest on NaN, an
    infinity, a lone surrogate, an integer of more than INTEGER_DIGITS digits, or a value nested deeper than can be
    encoded (never less than 256 levels); TypeError on anything that JSON has no word for.
    """
    try:
        encoded = msgspec.json.encode(value, order="deterministic")
        # What the encoder would bend (NaN to null, a date to text) does not compare equal; a tuple does not either.
        if msgspec.json.decode(encoded) == value and not _LONG_DIGITS.search(encoded):
            return encoded
    except (TypeError, ValueError, RecursionError):
        encoded = b""
    _check_value(value, 0, ())
    return encoded or msgspec.json.encode(value, order="deterministic")


def sha256(value: Any) -> str:
    """Hex SHA-256 of bytes, or of a value's canonical JSON."""
    return hashlib.sha256(value if isinstance(value, bytes) else dumps(value)).hexdigest()


def content_hash(value: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON: equal for equal values, whatever the order of their keys."""
    return hashlib.sha256(dumps(value)).hexdigest()


def _both(data: bytes | str) -> tuple[bytes, str]:
    if isinstance(data, str):
        try:
            return data.encode(), data
        except UnicodeEncodeError as error:
            _fail("the text holds a lone surrogate", data, error.start)
    try:
        return data, data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        _fail(f"byte 0x{data[error.start]:02x} is not valid UTF-8", before, len(before), hint="Send UTF-8.")


def _check_shape(raw: bytes, text: str, depth: int) -> None:
    opens = raw.count(b"[") + raw.count(b"{")
    if opens <= depth and raw.count(b",") + opens < JSON_NODES:
        return
    bare = _STRING.sub(b"", raw)
    nodes = bare.count(b",") + bare.count(b"[") + bare.count(b"{") + 1
    if nodes > JSON_NODES:
        raise TooLarge(
            f"the JSON text holds more than {JSON_NODES} values",
            hint="Send less at once.",
            facts={"limit": JSON_NODES, "size": nodes, "unit": "values"},
        )
    nest = bare.translate(_SQUARE, _NOT_BRACKET)
    for _ in range(depth):  # each pass takes away the innermost level
        if not nest:
            return
        shorter = nest.replace(b"[]", b"")
        if len(shorter) == len(nest):  # unbalanced: the nesting that is there decides, the decoder reports the rest
            break
        nest = shorter
    _check_depth(text, depth)


def _check_depth(text: str, depth: int) -> None:
    level = 0
    for match in _TOKEN.finditer(text):
        word = match.group()
        if word in "[{":
            level += 1
            if level > depth:
                _fail(f"nested deeper than {depth} levels", text, match.start())
        elif word in "]}":
            level -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"the key {json.dumps(key)} is given twice in one object", "key", key)
            seen.add(key)
    return found


def _constant(word: str) -> NoReturn:
    raise _Refused(f"{word} is not a JSON number", "token", word)


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > INTEGER_DIGITS:
        raise _Refused(f"an integer of more than {INTEGER_DIGITS} digits", "token", digits)
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Refused(f"the number {digits[:40]} does not fit a 64-bit float", "token", digits)
    return number


_FAST: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
_CAREFUL: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _locate(text: str, _message: str, kind: str, what: str) -> int:
    """The offset of a number, or of the second time that a key is given in one object."""
    scopes: list[set[str]] = [set()]
    for match in _TOKEN.finditer(text):
        word = match.group()
        if word in "[{":
            scopes.append(set())
        elif word in "]}":
            scopes.pop()
        elif kind == "token" and word == what:
            return match.start()
        elif kind == "key" and word[0] == '"' and _COLON.match(text, match.end()) and json.loads(word) == what:
            if what in scopes[-1]:
                return match.start()
            scopes[-1].add(what)
    return len(text)


def _check_surrogates(text: str) -> None:
    for token in _TOKEN.finditer(text):
        high = -1  # where a high surrogate still waits for its other half
        for match in _ESCAPE.finditer(token.group()):
            unit = int(match[1], 16) if match[1] else 0
            low = 0xDC00 <= unit <= 0xDFFF
            if (high >= 0) != low or (low and match.start() != high + 6):
                _fail("a lone surrogate", text, token.start() + (high if high >= 0 else match.start()))
            high = match.start() if 0xD800 <= unit <= 0xDBFF else -1
        if high >= 0:
            _fail("a lone surrogate", text, token.start() + high)


def _check_value(value: Any, level: int, path: tuple[str | int, ...]) -> None:
    """Raises on what has no canonical JSON, naming where it is."""
    kind = type(value)
    if level > _DUMP_DEPTH:
        raise InvalidRequest(f"a value nested deeper than {_DUMP_DEPTH} levels", hint="Flatten the value.")
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"a key of type {type(key).__name__} at {_show(path)}: JSON keys are text")
            _check_value(key, level, path)
            _check_value(item, level + 1, (*path, key))
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            _check_value(item, level + 1, (*path, index))
    elif kind is float:
        if not math.isfinite(value):
            _refuse(f"{value} is not a JSON number", path)
    elif kind is int:
        if not -_LARGEST < value < _LARGEST:
            _refuse(f"an integer of more than {INTEGER_DIGITS} digits", path)
    elif kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            _refuse("text with a lone surrogate", path)
    elif value is not None and kind is not bool:
        raise TypeError(f"a value of type {kind.__name__} at {_show(path)} has no JSON form")


def _show(path: tuple[str | int, ...]) -> str:
    return "/" + "/".join(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in path)


def _refuse(message: str, path: tuple[str | int, ...]) -> NoReturn:
    raise InvalidRequest(f"{message}, at {_show(path)}", facts={"path": list(map(str, path))})


def _fail(message: str, text: str, offset: int, *, hint: str = "Correct the text and send it again.") -> NoReturn:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    raise InvalidRequest(f"{message} (line {line}, column {column})", hint=hint, facts={"line": line, "column": column})


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" starting at")
