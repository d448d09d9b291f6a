"""How YAML 1.2 reads a plain scalar (core schema, YAML 1.2.2 section 10.3.2), without the surprises of 1.1.

``on``, ``no``, ``1:30`` and ``2024-01-01`` are text; ``010`` is the integer ten, which its reader is warned about.
"""

from __future__ import annotations

import math
import re
from typing import Final

from millrace.base.limits import INTEGER_DIGITS

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_LONGEST: Final = 400  # characters of a number; longer ones cannot be exact


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar. Raises ValueError, with a sentence, on a number that JSON cannot hold."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if not (text[0] in "+-." or text[0].isdigit()):
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that JSON can hold")
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            return _integer(text, base)
    if _FLOAT.fullmatch(text):
        number = float(text[:_LONGEST]) if len(text) <= _LONGEST else math.inf
        if math.isinf(number):
            raise ValueError(f"the number {text[:40]} does not fit a 64-bit float")
        return number
    return text


def leading_zero(text: str) -> bool:
    """Whether a plain scalar is an integer whose leading zero gets lost."""
    return _LEADING_ZERO.fullmatch(text) is not None


def _integer(text: str, base: int) -> int:
    number = int(text, base) if len(text) <= _LONGEST else None
    if number is None or abs(number) >= 10**INTEGER_DIGITS:
        raise ValueError(f"an integer of more than {INTEGER_DIGITS} digits")
    return number
