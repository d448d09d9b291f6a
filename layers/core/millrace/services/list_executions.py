"""Listing executions, newest first, by one index at a time. A filter without an index is refused, not read through."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from millrace.base.canonical import sha256
from millrace.base.errors import InvalidRequest
from millrace.engine.events import TERMINAL
from millrace.ports.documents import Index, Item, Key, Range, Row, Table
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.times import rfc3339
from millrace.store.executions import LIST_SHARDS, by_start, label_partition, summary_key

FILTERS = ("workflow", "version", "status", "label", "subject", "trigger", "replayOf", "since", "until")
STATUSES = ("running", "stalled", *sorted(TERMINAL))
MONTHS_BACK = 24
_SORT = re.compile(r"[0-9]{15}#[0-9a-z]{26}")


def list_executions(
    platform: Platform, caller: Caller, *, filters: Mapping[str, str], limit: int, cursor: str | None
) -> dict[str, Any]:
    """``{items, cursor}``. ``filters`` are of `FILTERS`; ``since`` and ``until`` are RFC 3339. Raises InvalidRequest
    for an unknown filter or a combination that no index serves."""
    mark = _mark(caller, filters)
    bounds = _bounds(filters, _within(cursor, mark))
    named = {name: value for name, value in filters.items() if name not in ("since", "until")}
    rows = _rows(platform, caller, named, bounds, limit)
    page = rows[:limit]
    following = f"{_sort(page[-1].item)}@{mark}" if len(rows) > limit and page else None
    return {"items": [_json(row.item) for row in page], "cursor": following}


def _rows(
    platform: Platform, caller: Caller, named: Mapping[str, str], bounds: tuple[str, str], limit: int
) -> list[Row]:
    first, last = bounds
    within = Range(first=first, last=last, reverse=True, limit=limit + 1)
    names = frozenset(named)
    if named.get("status", STATUSES[0]) not in STATUSES:
        raise InvalidRequest(
            f"{named['status'][:80]!r} is not a status of executions.", hint=f"Use one of {', '.join(STATUSES)}."
        )
    index: Index
    partition: tuple[str, ...]
    if not names:
        return _all(platform, caller, bounds, limit)
    if names == {"label"}:
        return _labelled(platform, caller, named["label"], within, limit)
    if names == {"workflow"}:
        index, partition = Index.WORKFLOW, (caller.namespace, named["workflow"])
    elif names == {"workflow", "version", "status"}:
        index = Index.STATUS
        partition = (caller.namespace, named["workflow"], named["version"], named["status"])
    elif names == {"status"}:
        index, partition = Index.STATE, (caller.namespace, named["status"])
    elif names == {"subject"}:
        index, partition = Index.SUBJECT, (caller.namespace, named["subject"])
    elif names == {"trigger"}:
        index, partition = Index.TRIGGER, (caller.namespace, named["trigger"])
    elif names == {"replayOf"}:
        index, partition = Index.ORIGIN, (caller.namespace, named["replayOf"])
    else:
        how = "alone" if len(names) == 1 else "together"
        raise InvalidRequest(
            f"Executions cannot be listed by {', '.join(sorted(names))} {how}.",
            hint="Use one of: workflow; workflow with version and status; status; label=key:value; subject; trigger; "
            "replayOf; each with since and until.",
        )
    return list(platform.documents.query_index(caller.scope, Table.HISTORY, index, partition, within=within).rows)


def _labelled(platform: Platform, caller: Caller, label: str, within: Range, limit: int) -> list[Row]:
    key, colon, value = label.partition(":")
    if not colon:
        raise InvalidRequest(f"{label!r} is not a label filter.", hint="Write label=key:value.")
    rows: list[Row] = []
    cursor = None
    while len(rows) <= limit:  # a label may point to an execution that was never created, or is gone
        partition = label_partition(caller.namespace, key, value)
        found = platform.documents.query(caller.scope, Table.HISTORY, partition, within=within, cursor=cursor)
        keys: list[Key] = [summary_key(str(row.item.attrs["id"])) for row in found.rows]
        items = platform.documents.batch_get(caller.scope, keys)
        rows.extend(Row(caller.tenant, item) for item in items if item is not None)
        cursor = found.cursor
        if cursor is None:
            break
    return rows


def _all(platform: Platform, caller: Caller, bounds: tuple[str, str], limit: int) -> list[Row]:
    """Every execution of the namespace: months from the newest back, shards merged."""
    first, last = bounds
    within = Range(first=first, last=last, reverse=True, limit=limit + 1)
    rows: list[Row] = []
    now = platform.clock.now()
    for month in _months(min(now, int(last[:15])), int(first[:15])):
        shards = [
            platform.documents.query_index(
                caller.scope, Table.HISTORY, Index.LIST, (caller.namespace, month, str(number)), within=within
            ).rows
            for number in range(LIST_SHARDS)
        ]
        rows.extend(heapq.merge(*shards, key=lambda row: _sort(row.item), reverse=True))
        if len(rows) > limit:
            break
    return rows


def _months(newest: int, oldest: int) -> list[str]:
    moment = datetime.fromtimestamp(newest / 1000, UTC)
    year, month = moment.year, moment.month
    found = []
    for _ in range(MONTHS_BACK):
        found.append(f"{year:04d}{month:02d}")
        if datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000 <= oldest:
            break
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return found


def _bounds(filters: Mapping[str, str], cursor: str | None) -> tuple[str, str]:
    since = _time(filters, "since", 0)
    until = _time(filters, "until", 10**15 - 1)
    last = f"{until:015d}~"
    if cursor is not None:
        # Everything strictly before the last row of the previous page.
        last = min(last, cursor[:-1] + chr(ord(cursor[-1]) - 1) + "~")
    return f"{since:015d}", last


def _mark(caller: Caller, filters: Mapping[str, str]) -> str:
    """What tells the cursors of one list from those of another."""
    return sha256([caller.namespace, sorted(filters.items())])[:16]


def _within(cursor: str | None, mark: str) -> str | None:
    """The sort key in a cursor. Raises InvalidRequest for a cursor of another list."""
    if cursor is None:
        return None
    sort, _, held = cursor.partition("@")
    if not _SORT.fullmatch(sort) or held != mark:
        raise InvalidRequest(
            "The cursor is not one that this list gave out.",
            hint="Send the filters that the cursor came with, or leave cursor out to begin.",
        )
    return sort


def _time(filters: Mapping[str, str], name: str, default: int) -> int:
    text = filters.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{name}={text!r} is not a time.", hint="Write RFC 3339: 2026-01-31T09:00:00Z.") from error
    if moment.tzinfo is None:
        raise InvalidRequest(f"{name}={text!r} has no offset.", hint="End it with Z or an offset like +02:00.")
    return int(moment.timestamp() * 1000)


def _sort(item: Item) -> str:
    attrs: Mapping[str, Any] = item.attrs
    return by_start(attrs["startedAt"], attrs["id"])


def _json(item: Item) -> dict[str, Any]:
    attrs: dict[str, Any] = dict(item.attrs)
    body = {key: value for key, value in attrs.items() if key not in ("position",)}
    body["startedAt"] = rfc3339(attrs["startedAt"])
    if "finishedAt" in attrs:
        body["finishedAt"] = rfc3339(attrs["finishedAt"])
    return body
