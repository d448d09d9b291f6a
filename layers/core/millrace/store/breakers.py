"""Circuit breakers as stored: one item per namespace and name, with the record and the counts of the last minutes.

The record (state, generation, probes) is written on the version that was read. Counts are counters of their own in the
same item, named by generation and second (``f3_1767225600``: failures in generation 3), so that they are added without
a condition, and what belongs to an earlier generation is never read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from millrace.engine.breaker import Breaker, Change, Counts, Probe
from millrace.ports.documents import Attr, Check, Documents, Item, Key, Range, Table, TenantScope, Update

FIRST: Final = 0
REMOVED: Final = 20
"""Seconds taken out by one write, of two counters each: an update expression may have 4 KB. What is left goes with the
next one."""
Second = tuple[int, int]
"""Generation, and second since the epoch."""


class Stored(Struct):
    """``counts`` by generation and second: successes, failures. ``keep_s`` is how many seconds back policies
    look."""

    breaker: Breaker = field(default_factory=Breaker)
    counts: dict[Second, tuple[int, int]] = field(default_factory=dict)
    keep_s: int = 0

    def add(self, place: Second, successes: int, failures: int) -> None:
        before = self.counts.get(place, (0, 0))
        self.counts[place] = (before[0] + successes, before[1] + failures)

    def within(self, generation: int, since_ms: int) -> Counts:
        """What was counted in a generation after ``since_ms``."""
        found = [
            counted for place, counted in self.counts.items() if place[0] == generation and place[1] * 1000 > since_ms
        ]
        return Counts(sum(one[0] for one in found), sum(one[1] for one in found))


def breaker_key(namespace: str, name: str) -> Key:
    return Key(Table.HISTORY, ("breaker", namespace), name)


def read_breaker(documents: Documents, scope: TenantScope, namespace: str, name: str) -> Stored:
    """A breaker that was never written is closed."""
    item = documents.get(scope, breaker_key(namespace, name))
    return Stored() if item is None else stored_of(item)


def list_breakers(
    documents: Documents, scope: TenantScope, namespace: str, *, limit: int, cursor: str | None
) -> tuple[list[tuple[str, Stored]], str | None]:
    """Names with what is stored, by name. Raises InvalidRequest on a foreign cursor."""
    page = documents.query(scope, Table.HISTORY, ("breaker", namespace), within=Range(limit=limit), cursor=cursor)
    return [(row.item.key.sort, stored_of(row.item)) for row in page.rows], page.cursor


def breaker_write(namespace: str, name: str, before: Stored, after: Breaker) -> Update:
    """Stores ``after`` in the place of ``before``; refused when somebody else was faster. A new generation begins
    without counts."""
    fresh = after.generation != before.breaker.generation
    seen = before.breaker.version
    return Update(
        breaker_key(namespace, name),
        set=_attrs(after),
        remove=_counters(list(before.counts)) if fresh else (),
        when=(Check("missing", "version"),) if seen == FIRST else (Check("eq", "version", seen),),
    )


def counts_write(
    namespace: str,
    name: str,
    counted: Mapping[Second, tuple[int, int]],
    *,
    known: Iterable[Second],
    now_s: int,
    keep_s: int,
) -> Update:
    """Adds counts, and removes those of ``known`` that no policy looks at any more."""
    add = {
        attr: value
        for place, values in counted.items()
        for attr, value in zip(_names(place), values, strict=True)
        if value
    }
    newest = max(place[0] for place in counted)
    old = [place for place in known if place not in counted and (place[0] < newest or place[1] < now_s - keep_s)]
    return Update(
        breaker_key(namespace, name),
        set={"keepS": keep_s},
        add=add,
        remove=_counters(old),
    )


def _counters(places: Sequence[Second]) -> tuple[str, ...]:
    return tuple(attr for place in places[:REMOVED] for attr in _names(place))


def _names(place: Second) -> tuple[str, str]:
    return f"s{place[0]}_{place[1]}", f"f{place[0]}_{place[1]}"


def _attrs(breaker: Breaker) -> dict[str, Attr]:
    return {
        "state": breaker.state,
        "version": breaker.version,
        "generation": breaker.generation,
        "since": breaker.since,
        "openUntil": breaker.open_until,
        "permitted": breaker.permitted,
        "breakMs": breaker.break_ms,
        "rampMs": breaker.ramp_ms,
        "probes": [{"id": probe.id, "lease": probe.lease, "done": probe.done} for probe in breaker.probes],
        "changes": [{"at": one.at, "state": one.state, "by": one.by, "why": one.why} for one in breaker.changes],
    }


def stored_of(item: Item) -> Stored:
    attrs: Mapping[str, Any] = item.attrs
    stored = Stored(keep_s=attrs.get("keepS", 0))
    for name, value in attrs.items():
        generation, mark, second = name[1:].partition("_")
        if mark and generation.isdigit() and second.isdigit():
            successes, failures = (value, 0) if name[0] == "s" else (0, value)
            stored.add((int(generation), int(second)), successes, failures)
    if "version" in attrs:
        stored.breaker = Breaker(
            state=attrs["state"],
            version=attrs["version"],
            generation=attrs["generation"],
            since=attrs["since"],
            open_until=attrs["openUntil"],
            permitted=attrs["permitted"],
            break_ms=attrs["breakMs"],
            ramp_ms=attrs["rampMs"],
            probes=tuple(Probe(one["id"], one["lease"], one["done"]) for one in attrs["probes"]),
            changes=tuple(Change(one["at"], one["state"], one["by"], one["why"]) for one in attrs["changes"]),
        )
    return stored
