"""The run log: an execution's events, in segments, behind a fence.

A segment is one item of at most 256 KiB whose sort key is the position of its first event, written only if no item
has that key. Whoever writes position n first owns it; everybody else is refused and reads again. A refused or
unacknowledged write is judged by reading the segment back and comparing owner and write id, which tells our own lost
acknowledgement from another driver's win.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from millrace.base.errors import Corrupt
from millrace.base.limits import SEGMENT_BYTES
from millrace.engine.events import SCHEMA_VERSION, AnyEvent, Event
from millrace.ports.documents import ABSENT, Documents, Item, Key, Put, Range, Table, TenantScope
from millrace.store.upcast import upcast

ROOT = "0"
_HEADER_BYTES = 512


class Segment(msgspec.Struct, frozen=True):
    """What a segment's body holds beside its events; ``first`` is the position of the first of them."""

    v: int
    stream: str
    first: int
    owner: str
    write: str
    events: list[AnyEvent]


class _Header(msgspec.Struct, frozen=True):
    v: int
    stream: str
    first: int
    owner: str
    write: str
    events: msgspec.Raw


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Segment)
_header = msgspec.json.Decoder(_Header)


class Stamp(Struct, frozen=True):
    """Who writes: ``owner`` names the driver, ``write`` this one write."""

    owner: str
    write: str


def log_of(execution: str, stream: str = ROOT) -> tuple[str, ...]:
    """The partition of a log: the stream of an execution, or that of the lane whose name is given."""
    root, _, lane = execution.partition(".")
    return ("log", root, lane or stream)


def segment_key(execution: str, first: int, stream: str = ROOT) -> Key:
    return Key(Table.HISTORY, log_of(execution, stream), f"{first:012d}")


def segment_puts(execution: str, first: int, events: Sequence[Event], stamp: Stamp, *, stream: str = ROOT) -> list[Put]:
    """The conditional writes that append ``events`` at position ``first``, in order; each at most 256 KiB, and every
    prefix of them a valid history."""
    puts: list[Put] = []
    bodies: list[bytes] = []
    size = 0
    position = first
    for event in events:
        data = _encoder.encode(event)
        if bodies and size + len(data) + 1 > SEGMENT_BYTES - _HEADER_BYTES:
            puts.append(_put(execution, stream, position, bodies, stamp))
            position += len(bodies)
            bodies, size = [], 0
        bodies.append(data)
        size += len(data) + 1
    if bodies:
        puts.append(_put(execution, stream, position, bodies, stamp))
    return puts


def _put(execution: str, stream: str, first: int, bodies: list[bytes], stamp: Stamp) -> Put:
    key = segment_key(execution, first, stream)
    header = _Header(
        SCHEMA_VERSION, key.partition[2], first, stamp.owner, stamp.write, msgspec.Raw(b"[" + b",".join(bodies) + b"]")
    )
    item = Item(
        key=key,
        attrs={
            "body": _encoder.encode(header),
            "owner": stamp.owner,
            "write": stamp.write,
            "count": len(bodies),
        },
        feed=True,
    )
    return Put(item, when=ABSENT)


def decode_segment(item: Item) -> Segment:
    """A stored segment, its events brought up to date. Raises Corrupt."""
    body = item.attrs.get("body")
    if not isinstance(body, bytes):
        raise Corrupt(f"The log segment {item.key.partition}/{item.key.sort} has no body.")
    try:
        header = _header.decode(body)
        if header.v == SCHEMA_VERSION:
            return _decoder.decode(body)
        events = upcast(msgspec.json.decode(header.events), header.v)
        # By way of bytes, since an inline value is kept as the bytes that stood there.
        return _decoder.decode(_encoder.encode({**msgspec.structs.asdict(header), "events": events}))
    except msgspec.MsgspecError as error:
        raise Corrupt(
            f"The log segment {item.key.partition}/{item.key.sort} cannot be read: {error}",
            hint="Restore the item from a backup, or read the history up to this position.",
        ) from error


def read_segments(
    documents: Documents, scope: TenantScope, execution: str, *, first: int = 0, stream: str = ROOT
) -> Iterator[Segment]:
    """Segments in order, from the one that begins at ``first``. Raises Corrupt on a gap."""
    cursor = None
    expected = first
    while True:
        page = documents.query(
            scope,
            Table.HISTORY,
            log_of(execution, stream),
            within=Range(first=f"{first:012d}", limit=64),
            cursor=cursor,
        )
        for row in page.rows:
            segment = decode_segment(row.item)
            if segment.first != expected:
                raise Corrupt(f"The log of {execution} has a gap: position {expected} is missing.")
            expected = segment.first + len(segment.events)
            yield segment
        cursor = page.cursor
        if cursor is None:
            return


def read_events(
    documents: Documents, scope: TenantScope, execution: str, *, after: int, limit: int, stream: str = ROOT
) -> list[tuple[int, Segment, Event]]:
    """Up to ``limit`` events with a position above ``after`` (-1 for all), with position and segment."""
    before = documents.query(
        scope,
        Table.HISTORY,
        log_of(execution, stream),
        within=Range(last=f"{max(after + 1, 0):012d}", reverse=True, limit=1),
    )
    first = int(before.rows[0].item.key.sort) if before.rows else 0
    found: list[tuple[int, Segment, Event]] = []
    for segment in read_segments(documents, scope, execution, first=first, stream=stream):
        for position, event in enumerate(segment.events, segment.first):
            if position > after:
                found.append((position, segment, event))
                if len(found) == limit:
                    return found
    return found


def wrote(documents: Documents, scope: TenantScope, key: Key, stamp: Stamp) -> bool | None:
    """Whether the segment at ``key`` is the one that ``stamp`` names: None when there is no segment there."""
    item = documents.get(scope, key)
    if item is None:
        return None
    return item.attrs.get("owner") == stamp.owner and item.attrs.get("write") == stamp.write
