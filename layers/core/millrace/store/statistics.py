"""Statistics as stored: counts and durations per workflow, version, task and minute, and how far each log is counted.

One item per (workflow, minute, version, task) holds counters only. One mark per log stream says up to which position
the stream is counted; it moves in the transaction that adds the counts, and only from where the writer found it. So a
segment counts exactly once, however often, late or out of order it is delivered, and wherever a writer stops.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field

from millrace.base.limits import TRANSACTION_OPS
from millrace.ports.documents import (
    ABSENT,
    Attr,
    Check,
    Documents,
    Item,
    Key,
    Op,
    Put,
    Range,
    Table,
    TenantScope,
    Update,
)
from millrace.store.histogram import bucket

MINUTE_MS: Final = 60_000
UPDATES: Final = TRANSACTION_OPS - 1
"""Buckets that one transaction changes beside the mark."""
_PAGE: Final = 500
_HISTOGRAM: Final = "h"
_FEED: Final = TenantScope("_feed")
"""No identity can name a tenant with an underscore, so a consumer's own items are out of everybody's reach."""


class Cell(NamedTuple):
    """Where a count belongs. ``minute`` is since the epoch; the task ``""`` is the workflow itself."""

    namespace: str
    workflow: str
    minute: int
    version: str
    task: str


class Tally(Struct):
    """``count`` is of what ended, without ``skipped``; ``failures`` and ``cancelled`` are parts of it. ``attempts``
    are those started. ``durations`` counts by histogram bucket, ``sum_ms`` is their exact sum."""

    count: int = 0
    failures: int = 0
    cancelled: int = 0
    skipped: int = 0
    attempts: int = 0
    sum_ms: int = 0
    durations: Counter[int] = field(default_factory=Counter)

    def end(self, status: str, duration_ms: int) -> None:
        """Count one end of a task or an execution."""
        if status == "skipped":
            self.skipped += 1
            return
        self.count += 1
        self.failures += status in ("failed", "timedOut")
        self.cancelled += status == "cancelled"
        self.sum_ms += max(duration_ms, 0)
        self.durations[bucket(duration_ms)] += 1

    def merge(self, other: Tally) -> None:
        self.count += other.count
        self.failures += other.failures
        self.cancelled += other.cancelled
        self.skipped += other.skipped
        self.attempts += other.attempts
        self.sum_ms += other.sum_ms
        self.durations.update(other.durations)

    def counters(self) -> dict[str, int]:
        """What the item's counters grow by; zeros are left out."""
        plain = {
            "count": self.count,
            "failures": self.failures,
            "cancelled": self.cancelled,
            "skipped": self.skipped,
            "attempts": self.attempts,
            "sumMs": self.sum_ms,
        }
        grown = {name: value for name, value in plain.items() if value}
        return grown | {f"{_HISTOGRAM}{number}": value for number, value in sorted(self.durations.items())}


def tally_of(attrs: Mapping[str, Attr]) -> Tally:
    """The tally that an item holds."""
    numbers = {name: value for name, value in attrs.items() if isinstance(value, int)}
    return Tally(
        count=numbers.get("count", 0),
        failures=numbers.get("failures", 0),
        cancelled=numbers.get("cancelled", 0),
        skipped=numbers.get("skipped", 0),
        attempts=numbers.get("attempts", 0),
        sum_ms=numbers.get("sumMs", 0),
        durations=Counter(
            {
                int(name[1:]): value
                for name, value in numbers.items()
                if name.startswith(_HISTOGRAM) and name[1:].isdigit()
            }
        ),
    )


def _partition(namespace: str, workflow: str) -> tuple[str, ...]:
    return ("minutes", namespace, workflow)


def _sort(cell: Cell) -> str:
    # A path may be longer than a sort key; the item names version and task in full.
    name = hashlib.sha256(f"{cell.version}\0{cell.task}".encode()).hexdigest()[:32]
    return f"{cell.minute:010d}#{name}"


def cell_update(cell: Cell, tally: Tally) -> Update:
    """The write that adds a tally to its item."""
    return Update(
        Key(Table.STATISTICS, _partition(cell.namespace, cell.workflow), _sort(cell)),
        set={"version": cell.version, "task": cell.task},
        add=tally.counters(),
    )


def cell_updates(cells: Iterable[tuple[Cell, Tally]]) -> list[Update]:
    """The writes that add tallies, of which one that is empty adds nothing."""
    return [cell_update(cell, tally) for cell, tally in cells if tally.counters()]


class Mark(Struct, frozen=True):
    """``position`` is that of the first event not counted. ``part`` is how many of the sorted cells of the segment
    that begins there are counted, for a segment too large for one transaction."""

    position: int = 0
    part: int = 0


def mark_key(execution: str, stream: str) -> Key:
    return Key(Table.STATISTICS, ("counted", execution), stream)


def mark_of(item: Item | None) -> Mark:
    attrs = {} if item is None else item.attrs
    position, part = attrs.get("position", 0), attrs.get("part", 0)
    assert isinstance(position, int)  # written by `step`
    assert isinstance(part, int)
    return Mark(position, part)


def step(execution: str, stream: str, before: Mark, after: Mark, cells: Sequence[tuple[Cell, Tally]]) -> Sequence[Op]:
    """One transaction: the mark moves from ``before`` to ``after``, and the cells (at most `UPDATES`) grow.
    Refused when the mark is not where ``before`` says."""
    item = Item(mark_key(execution, stream), {"position": after.position, "part": after.part})
    when = ABSENT if before == Mark() else (Check("eq", "position", before.position), Check("eq", "part", before.part))
    return [Put(item, when), *cell_updates(cells)]


def read_cells(
    documents: Documents, scope: TenantScope, namespace: str, workflow: str, *, first: int, last: int
) -> Iterator[tuple[Cell, Tally]]:
    """Every cell from minute ``first`` to ``last``, both included, in the order of time."""
    cursor = None
    within = Range(first=f"{first:010d}", last=f"{last:010d}$", limit=_PAGE)  # "$" comes right after "#"
    while True:
        page = documents.query(
            scope, Table.STATISTICS, _partition(namespace, workflow), within=within, cursor=cursor, consistent=False
        )
        for row in page.rows:
            attrs = row.item.attrs
            minute = int(row.item.key.sort.partition("#")[0])
            yield Cell(namespace, workflow, minute, str(attrs["version"]), str(attrs["task"])), tally_of(attrs)
        cursor = page.cursor
        if cursor is None:
            return


def _checkpoint_key(consumer: str) -> Key:
    return Key(Table.STATISTICS, ("checkpoint", consumer), "feed")


def read_checkpoint(documents: Documents, consumer: str) -> int:
    """The sequence of the last feed record that a consumer has fully handled; 0 at the beginning."""
    item = documents.get(_FEED, _checkpoint_key(consumer))
    sequence = 0 if item is None else item.attrs["sequence"]
    assert isinstance(sequence, int)  # written below
    return sequence


def save_checkpoint(documents: Documents, consumer: str, sequence: int) -> None:
    documents.write(_FEED, [Put(Item(_checkpoint_key(consumer), {"sequence": sequence}))])
