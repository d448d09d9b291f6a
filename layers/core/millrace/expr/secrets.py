"""Secrets as opaque references.

``secrets.x`` never evaluates to the secret. It evaluates to a `SecretText`, a text with holes, which can be copied
or interpolated and nothing else; whoever makes the call fills the holes. A value with such texts is stored as plain
JSON plus a list of places (`collect_secrets`), never with a marker inside user data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from millrace.base.errors import Corrupt
from millrace.base.limits import JSON_DEPTH
from millrace.expr.faults import NOWHERE

Place = tuple[str | int, ...]
"""Where in a JSON value: keys and indexes from the outside in."""


class SecretRef(Struct, frozen=True):
    """The name of a secret of the tenant."""

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class SecretText:
    """Literal texts and secret references, in order. Shows nothing of either when printed."""

    parts: tuple[str | SecretRef, ...]

    def __repr__(self) -> str:
        return "<secret>"

    @property
    def names(self) -> frozenset[str]:
        """The secrets it refers to."""
        return frozenset(part.name for part in self.parts if isinstance(part, SecretRef))


Collected = list[tuple[Place, tuple[str | SecretRef, ...]]]


def collect_secrets(value: Any) -> tuple[Any, Collected]:
    """Splits a value into plain JSON, with null in place of every secret text, and the list of what was there.

    Containers without secrets are shared with the argument, not copied. Raises ExpressionError (``depth``) on a
    value nested deeper than JSON may be.
    """
    found: Collected = []
    return _collect(value, (), found), found


def _collect(value: Any, place: Place, found: Collected) -> Any:
    if isinstance(value, SecretText):
        found.append((place, value.parts))
        return None
    if not isinstance(value, dict | list):
        return value
    if len(place) > JSON_DEPTH:
        raise NOWHERE.fault("depth", f"the value is nested deeper than {JSON_DEPTH} levels")
    before = len(found)
    if isinstance(value, dict):
        fields = {key: _collect(entry, (*place, key), found) for key, entry in value.items()}
        return value if len(found) == before else fields
    items = [_collect(entry, (*place, index), found) for index, entry in enumerate(value)]
    return value if len(found) == before else items


def restore_secrets(value: Any, collected: Sequence[tuple[Place, tuple[str | SecretRef, ...]]]) -> Any:
    """The inverse of `collect_secrets`. Does not change its argument. Raises Corrupt when a place is not there."""
    for place, parts in collected:
        value = _put(value, place, SecretText(tuple(parts)))
    return value


def _put(value: Any, place: Place, text: SecretText) -> Any:
    if not place:
        return text
    head, rest = place[0], place[1:]
    if isinstance(value, dict) and head in value:
        return {**value, head: _put(value[head], rest, text)}
    if isinstance(value, list) and isinstance(head, int) and 0 <= head < len(value):
        return [*value[:head], _put(value[head], rest, text), *value[head + 1 :]]
    raise Corrupt("a stored secret place is not in its value", facts={"place": list(place)})
