"""Conditions, updates and ranges as DynamoDB expressions. Names and values are always placeholders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from millrace.adapters.dynamodb import marshal
from millrace.adapters.dynamodb.marshal import Wire
from millrace.adapters.dynamodb.schema import PARTITION, SORT, index_names
from millrace.adapters.keys import Listing
from millrace.ports.documents import AnyOf, Attr, Check, Condition, TenantScope, Update

_SIGNS: Final = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NOTHING: Final = "_nothing"
"""Removing an attribute that no item has is an update that changes nothing; an empty one is refused."""


class Placeholders:
    """Collects the names and values of one request."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: Wire = {}

    def name(self, attr: str) -> str:
        return self.names.setdefault(attr, f"#n{len(self.names)}")

    def value(self, attr: Attr) -> str:
        mark = f":v{len(self.values)}"
        self.values[mark] = marshal.value(attr)
        return mark

    def arguments(self) -> Wire:
        out: Wire = {}
        if self.names:
            out["ExpressionAttributeNames"] = {mark: name for name, mark in self.names.items()}
        if self.values:
            out["ExpressionAttributeValues"] = self.values
        return out


def _check(check: Check, marks: Placeholders) -> str:
    match check.op:
        case "absent":
            return f"attribute_not_exists({marks.name(PARTITION)})"
        case "exists":
            return f"attribute_exists({marks.name(PARTITION)})"
        case "missing":
            return f"attribute_not_exists({marks.name(check.attr)})"
        case "present":
            return f"attribute_exists({marks.name(check.attr)})"
    name = marks.name(check.attr)
    kind = next(iter(marshal.value(check.value)))
    # The type is asked first: DynamoDB compares across types as the port says, emulators do not.
    typed = f"attribute_type({name}, {marks.value(kind)})"
    if check.op == "ne":
        same = f"{typed} AND {name} = {marks.value(check.value)}"
        return f"(attribute_exists({name}) AND NOT ({same}))"
    return f"({typed} AND {name} {_SIGNS[check.op]} {marks.value(check.value)})"


def condition(when: Sequence[Condition], marks: Placeholders) -> Wire:
    """The ConditionExpression argument, or nothing."""
    parts = []
    for one in when:
        if isinstance(one, AnyOf):
            parts.append("(" + " OR ".join(_check(check, marks) for check in one.checks) + ")")
        else:
            parts.append(_check(one, marks))
    return {"ConditionExpression": " AND ".join(parts)} if parts else {}


def update(scope: TenantScope, op: Update, marks: Placeholders) -> Wire:
    """The UpdateExpression argument."""
    sets = [f"{marks.name(name)} = {marks.value(attr)}" for name, attr in op.set.items()]
    removes = [marks.name(name) for name in op.remove]
    for index, index_key in op.indexes.items():
        if index_key is None:
            removes += [marks.name(name) for name in index_names(index)]
        else:
            held = marshal.index_values(scope, index, index_key)
            sets += [f"{marks.name(name)} = {marks.value(wire['S'])}" for name, wire in held.items()]
    adds = [f"{marks.name(name)} {marks.value(number)}" for name, number in op.add.items()]
    if not (sets or removes or adds):
        removes.append(marks.name(_NOTHING))
    clauses = (("SET", sets), ("REMOVE", removes), ("ADD", adds))
    return {"UpdateExpression": " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses if parts)}


def key_names(listing: Listing) -> tuple[str, str]:
    return (PARTITION, SORT) if listing.index is None else index_names(listing.index)


def key_condition(listing: Listing, marks: Placeholders) -> Wire:
    """The KeyConditionExpression argument of a listing that is not empty by its bounds."""
    partition, sort = key_names(listing)
    within = listing.within
    text = f"{marks.name(partition)} = {marks.value(listing.partition)}"
    if within.prefix is not None:
        text += f" AND begins_with({marks.name(sort)}, {marks.value(within.prefix)})"
    elif within.first is not None and within.last is not None:
        text += f" AND {marks.name(sort)} BETWEEN {marks.value(within.first)} AND {marks.value(within.last)}"
    elif within.first is not None:
        text += f" AND {marks.name(sort)} >= {marks.value(within.first)}"
    elif within.last is not None:
        text += f" AND {marks.name(sort)} <= {marks.value(within.last)}"
    return {"KeyConditionExpression": text}
