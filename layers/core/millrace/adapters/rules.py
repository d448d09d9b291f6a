"""What a write does to an item, as pure functions: the adapters that evaluate conditions themselves share them.

Comparison follows DynamoDB: values of different types are never equal and never ordered, and a comparison with a
missing attribute is false (also ``ne``).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from millrace.adapters.guard import checked_item, copied, integer_in_range
from millrace.base.errors import ConditionRefused, InvalidRequest
from millrace.ports.documents import AnyOf, Check, Condition, Delete, Item, Op, Put, Require, TenantScope, Update

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _check_holds(current: Item | None, check: Check) -> bool:
    match check.op:
        case "absent":
            return current is None
        case "exists":
            return current is not None
        case "missing":
            return current is None or check.attr not in current.attrs
    if current is None or check.attr not in current.attrs:
        return False
    if check.op == "present":
        return True
    actual = current.attrs[check.attr]
    same_type = type(actual) is type(check.value)
    if check.op == "ne":
        return not same_type or actual != check.value
    return same_type and _COMPARE[check.op](actual, check.value)


def holds(current: Item | None, condition: Condition) -> bool:
    if isinstance(condition, AnyOf):
        return any(_check_holds(current, check) for check in condition.checks)
    return _check_holds(current, condition)


def refusal(index: int, op: Op) -> ConditionRefused:
    """The error for a refused operation: position, kind and table, never stored values."""
    key = op.item.key if isinstance(op, Put) else op.key
    facts = {"index": index, "operation": type(op).__name__.lower(), "table": str(key.table)}
    return ConditionRefused(
        f"operation {index} ({facts['operation']} in {key.table}) was refused by its condition",
        index=index,
        hint="read the item again and decide anew",
        facts=facts,
    )


def _updated(scope: TenantScope, current: Item | None, op: Update) -> Item:
    base = current or Item(op.key)
    attrs = dict(base.attrs)
    attrs.update(op.set)
    for name, number in op.add.items():
        before = attrs.get(name, 0)
        if isinstance(before, bool) or not isinstance(before, int):
            raise InvalidRequest(f"attribute {name!r} is no number, so nothing can be added to it")
        if not integer_in_range(before + number):
            raise InvalidRequest(f"attribute {name!r} would pass 38 digits")
        attrs[name] = before + number
    for name in op.remove:
        attrs.pop(name, None)
    indexes = {**base.indexes, **op.indexes}
    kept = {index: key for index, key in indexes.items() if key is not None}
    return checked_item(scope, replace(base, attrs=attrs, indexes=kept))[1]


def after(scope: TenantScope, current: Item | None, op: Op, index: int) -> Item | None:
    """The item after one operation. Raises ConditionRefused with ``index``, TooLarge, InvalidRequest."""
    if not all(holds(current, condition) for condition in op.when):
        raise refusal(index, op)
    match op:
        case Put():
            return op.item
        case Update():
            return _updated(scope, current, op)
        case Delete():
            return None
        case Require():
            return current


def handed_out(item: Item) -> Item:
    """A copy for a reader, which may change what it got without changing the store."""
    return replace(item, attrs={name: copied(value) for name, value in item.attrs.items()}, indexes=dict(item.indexes))
