"""The scalars that documents write as text and the platform reads as quantities, parsed in one place.

Durations become whole milliseconds (a fixed length: a week is 7 days, a month 30, a year 365, since a document
cannot know the calendar it will run in). Percent, money and criteria become exact decimals, never floats.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, Literal, NoReturn

from msgspec import Struct

from millrace.base.errors import InvalidRequest

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
MAX_DURATION_MS: Final = 100 * 365 * DAY_MS

_UNITS: Final[dict[str, int]] = {
    "ms": 1,
    "millisecond": 1,
    "s": SECOND_MS,
    "sec": SECOND_MS,
    "second": SECOND_MS,
    "m": MINUTE_MS,
    "min": MINUTE_MS,
    "minute": MINUTE_MS,
    "h": HOUR_MS,
    "hour": HOUR_MS,
    "d": DAY_MS,
    "day": DAY_MS,
    "w": 7 * DAY_MS,
    "week": 7 * DAY_MS,
    "month": 30 * DAY_MS,
    "y": 365 * DAY_MS,
    "year": 365 * DAY_MS,
}
_PART: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-z]{1,12})")
_ISO: Final = re.compile(
    r"P(?=.)(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=.)(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12}(?:\.[0-9]{1,6})?)S)?)?"
)
_ISO_MS: Final = (365 * DAY_MS, 30 * DAY_MS, 7 * DAY_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS)
_SHORT: Final = (("w", 7 * DAY_MS), ("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1))
_DURATIONS: Final = "a duration is written like 500ms, 30s, 5m, 2h, 3d, 1w, 1h30m, 7 years, PT10M, or whole seconds"
_PERCENT: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?%")
_MONEY: Final = re.compile(r"\$? ?([0-9]{1,18}(?:\.[0-9]{1,9})?)")
_CRITERION: Final = re.compile(r"(<=|>=|==|!=|<|>) ?(.{1,40})")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,9})?")


def parse_duration(value: Any) -> int:
    """Milliseconds of a duration: ``30s``, ``1h30m``, ``7 years``, ``PT10M``, or an integer of seconds.

    Raises InvalidRequest on anything else, on a negative one, and past 100 years.
    """
    if type(value) is int:
        if value < 0:
            _refuse(value, "a duration is not negative", _DURATIONS)
        return _bounded(value, Decimal(value) * SECOND_MS)
    if type(value) is not str:
        _refuse(value, "not a duration", _DURATIONS)
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return _bounded(value, Decimal(text) * SECOND_MS)
    if iso := _ISO.fullmatch(text):
        return _bounded(value, sum((Decimal(n) * ms for n, ms in zip(iso.groups(), _ISO_MS, strict=True) if n), _ZERO))
    total, position = _ZERO, 0
    lowered = text.lower()
    while position < len(lowered):
        part = _PART.match(lowered, position)
        unit = _unit(part[2]) if part else None
        if part is None or unit is None:
            _refuse(value, "not a duration", _DURATIONS)
        total += Decimal(part[1]) * unit
        position = part.end()
        while position < len(lowered) and lowered[position] == " ":
            position += 1
    if not lowered:
        _refuse(value, "an empty duration", _DURATIONS)
    return _bounded(value, total)


def format_duration(milliseconds: int) -> str:
    """The shortest exact spelling that `parse_duration` reads back: ``1h30m``, ``250ms``, ``0s``."""
    if milliseconds == 0:
        return "0s"
    out, left = [], milliseconds
    for name, size in _SHORT:
        count, left = divmod(left, size)
        if count:
            out.append(f"{count}{name}")
    return "".join(out)


def parse_percent(value: Any) -> Decimal:
    """The fraction of a percentage: ``10%`` is Decimal('0.10'). Raises InvalidRequest on anything else."""
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        _refuse(value, "not a percentage", 'a percentage is written like "10%" or "0.5%"')
    return Decimal(match[1]) / 100


def parse_money(value: Any) -> Decimal:
    """Dollars of ``"$0.50"`` or ``"0.50"``, exact. A YAML float is refused: it has been rounded already."""
    match = _MONEY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        _refuse(value, "not an amount of money", 'money is written as text like "$0.50"')
    return Decimal(match[1])


class Criterion(Struct, frozen=True):
    """A bound on a measured quantity. ``bound`` is a fraction for percent and milliseconds for durations."""

    operator: str
    bound: Decimal
    unit: Literal["fraction", "ms", "usd", "number"]

    def holds(self, measured: Decimal | int) -> bool:
        """Whether a measured value, in ``unit``, meets the criterion."""
        left, right = Decimal(measured), self.bound
        return {
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
            "==": left == right,
            "!=": left != right,
        }[self.operator]


def parse_criterion(value: Any) -> Criterion:
    """A comparison with a quantity: ``<1%``, ``<500ms``, ``<= $0.50``, ``>0.95``. Raises InvalidRequest otherwise."""
    match = _CRITERION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        operator, bound = match[1], match[2].strip()
        if _PERCENT.fullmatch(bound):
            return Criterion(operator, parse_percent(bound), "fraction")
        if bound.startswith("$") and _MONEY.fullmatch(bound):
            return Criterion(operator, parse_money(bound), "usd")
        if _NUMBER.fullmatch(bound):
            return Criterion(operator, Decimal(bound), "number")
        if _PART.match(bound):
            return Criterion(operator, Decimal(parse_duration(bound)), "ms")
    raise _refusal(value, "not a criterion", 'a criterion is written like "<1%", "<500ms", "<=$0.50" or ">0.95"')


_ZERO: Final = Decimal(0)


def shown(value: Any) -> str:
    """A value for a message, in the words of JSON, at most 60 characters long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def _unit(word: str) -> int | None:
    return _UNITS.get(word) or (_UNITS.get(word[:-1]) if word.endswith("s") and len(word) > 3 else None)


def _bounded(value: Any, total: Decimal) -> int:
    whole = int(total)
    if whole != total:
        _refuse(value, "finer than a millisecond", _DURATIONS)
    if whole > MAX_DURATION_MS:
        _refuse(value, "longer than 100 years", _DURATIONS)
    return whole


def _refuse(value: Any, what: str, accepted: str) -> NoReturn:
    raise _refusal(value, what, accepted)


def _refusal(value: Any, what: str, accepted: str) -> InvalidRequest:
    return InvalidRequest(f"{shown(value)}: {what}", hint=accepted[:1].upper() + accepted[1:] + ".")
