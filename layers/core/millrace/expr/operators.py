"""Arithmetic and relations on JSON values, as CEL defines them for int64 and double.

Differences: an int meets a double as a double; a result that is not finite is an error; an int that came in from
outside the 64-bit range can be compared and copied but not calculated with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from millrace.base.errors import ExpressionError
from millrace.expr.faults import Site
from millrace.expr.fuel import Fuel, text_bytes
from millrace.expr.values import INT_MAX, INT_MIN, described, equal, kind, secret_fault

POINTER_BYTES: Final = 8
Operator = Callable[[Any, Any, Fuel, Site], Any]


def type_fault(site: Site, operator: str, *values: Any) -> ExpressionError:
    """No such operator for these values; tells a secret from a mere mismatch."""
    if any(kind(value) == "secret" for value in values):
        return secret_fault(site)
    found = " and ".join(described(value) for value in values)
    kinds = [kind(value) for value in values]
    hint = "use ?? to give a value for null" if "null" in kinds else "convert with int(), double() or string()"
    return site.fault("type", f"{operator} cannot be applied to {found}", hint=hint, found=kinds)


def checked_int(value: int, site: Site) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise site.fault("overflow", "the result does not fit a 64-bit integer", hint="calculate with double()")


def checked_double(value: float, site: Site) -> float:
    if isfinite(value):
        return value
    raise site.fault("overflow", "the result is not a finite number")


def _numbers(operator: str, left: Any, right: Any, site: Site) -> bool:
    """True when both are ints, False when at least one is a double; raises when one is no number."""
    kinds = type(left), type(right)
    if kinds == (int, int):
        if INT_MIN <= left <= INT_MAX and INT_MIN <= right <= INT_MAX:
            return True
    elif kinds == (float, float):
        return False
    elif kinds not in {(int, float), (float, int)}:
        raise type_fault(site, operator, left, right)
    for value in (left, right):
        if type(value) is int and not INT_MIN <= value <= INT_MAX:
            hint = "an integer this large can be copied and compared, not calculated with"
            raise site.fault("overflow", f"{operator} met an integer beyond 64 bits", hint=hint)
    return False


def add(left: Any, right: Any, fuel: Fuel, site: Site) -> Any:
    kinds = type(left), type(right)
    if kinds == (str, str):
        fuel.grow(text_bytes(right), site)
        fuel.spend((len(left) + len(right)) >> 6, site)
        return left + right
    if kinds == (list, list):
        fuel.grow(POINTER_BYTES * len(right), site)
        fuel.spend((len(left) + len(right)) >> 3, site)
        return left + right
    if _numbers("+", left, right, site):
        return checked_int(left + right, site)
    return checked_double(float(left) + float(right), site)


def subtract(left: Any, right: Any, _fuel: Fuel, site: Site) -> Any:
    if _numbers("-", left, right, site):
        return checked_int(left - right, site)
    return checked_double(float(left) - float(right), site)


def multiply(left: Any, right: Any, _fuel: Fuel, site: Site) -> Any:
    if _numbers("*", left, right, site):
        return checked_int(left * right, site)
    return checked_double(float(left) * float(right), site)


def divide(left: Any, right: Any, _fuel: Fuel, site: Site) -> Any:
    whole = _numbers("/", left, right, site)
    if right == 0:
        raise site.fault("division-by-zero", "division by zero", hint="test the divisor first: b != 0 ? a / b : 0")
    if not whole:
        return checked_double(float(left) / float(right), site)
    quotient = abs(left) // abs(right)
    return checked_int(quotient if (left < 0) == (right < 0) else -quotient, site)


def remainder(left: Any, right: Any, _fuel: Fuel, site: Site) -> Any:
    if not _numbers("%", left, right, site):
        raise site.fault("type", "% works on ints only", hint="convert with int()", found=[kind(left), kind(right)])
    if right == 0:
        raise site.fault("division-by-zero", "remainder of a division by zero", hint="test the divisor first")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate(value: Any, site: Site) -> Any:
    if type(value) is float:
        return -value
    if type(value) is int:
        return checked_int(-value, site)
    raise type_fault(site, "-", value)


def is_equal(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    return equal(left, right, fuel, site)


def is_different(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    return not equal(left, right, fuel, site)


def _comparable(operator: str, left: Any, right: Any, fuel: Fuel, site: Site) -> None:
    kinds = type(left), type(right)
    if kinds[0] is kinds[1] and kinds[0] in {int, float, str, bool}:
        if kinds[0] is str and len(left) > 64:
            fuel.spend(min(len(left), len(right)) >> 6, site)
        return
    if kinds not in {(int, float), (float, int)}:
        raise type_fault(site, operator, left, right)


def less(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    _comparable("<", left, right, fuel, site)
    return bool(left < right)


def less_or_equal(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    _comparable("<=", left, right, fuel, site)
    return bool(left <= right)


def greater(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    _comparable(">", left, right, fuel, site)
    return bool(left > right)


def greater_or_equal(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    _comparable(">=", left, right, fuel, site)
    return bool(left >= right)


def is_in(left: Any, right: Any, fuel: Fuel, site: Site) -> bool:
    if kind(left) == "secret":
        raise secret_fault(site)
    if isinstance(right, list):
        fuel.spend(len(right), site)
        return any(equal(left, entry, fuel, site) for entry in right)
    if isinstance(right, Mapping):
        return type(left) is str and left in right
    if type(right) is str:
        hint = "for a part of a text use text.contains(part)"
        raise site.fault("type", "in looks into a list or a map, not into a text", hint=hint, found=["string"])
    raise type_fault(site, "in", left, right)


OPERATORS: Final[dict[str, Operator]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "==": is_equal,
    "!=": is_different,
    "<": less,
    "<=": less_or_equal,
    ">": greater,
    ">=": greater_or_equal,
    "in": is_in,
}
