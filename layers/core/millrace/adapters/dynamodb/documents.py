"""Documents on three DynamoDB tables. Table names are arguments; nothing is read from the environment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from millrace.adapters import guard
from millrace.adapters.dynamodb import expressions, marshal
from millrace.adapters.dynamodb.caller import ATTEMPTS, Caller, Consumed
from millrace.adapters.dynamodb.expressions import Placeholders
from millrace.adapters.dynamodb.schema import PARTITION, SORT
from millrace.adapters.keys import Address, Listing
from millrace.base.errors import MillraceError, StoreUnavailable
from millrace.ports.documents import (
    Condition,
    Delete,
    Index,
    Item,
    Key,
    Op,
    Page,
    Put,
    Range,
    Require,
    Row,
    Scope,
    Table,
    TenantScope,
    Update,
)
from millrace.ports.world import Random

GET_KEYS: Final = 100
"""BatchGetItem's limit."""
PUT_ITEMS: Final = 25
"""BatchWriteItem's limit."""
WORKERS: Final = 16
OUTSTANDING: Final = 64

Wire = dict[str, Any]


class DynamoDocuments:
    """``tables`` names each table. ``random`` and ``sleep`` (seconds) serve the backoff. `submit` runs on at most
    ``workers`` threads and blocks while 64 writes are outstanding. ``consumed`` counts capacity units."""

    def __init__(
        self,
        tables: Mapping[Table, str],
        *,
        region: str,
        random: Random,
        endpoint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        workers: int = WORKERS,
    ) -> None:
        self._tables = dict(tables)
        self._random = random
        self.caller = Caller(region=region, endpoint=endpoint, random=random, sleep=sleep, pool=workers + 4)
        self._workers = workers
        self._room = threading.BoundedSemaphore(OUTSTANDING)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    @property
    def consumed(self) -> Consumed:
        return self.caller.consumed

    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None:
        place = guard.address(scope, key)
        arguments = {
            "TableName": self._tables[place.table],
            "Key": marshal.key(place),
            "ConsistentRead": consistent,
        }
        held = self.caller.call("GetItem", arguments).get("Item")
        return None if held is None else marshal.item(place.table, held)[1]

    def batch_get(self, scope: TenantScope, keys: Sequence[Key]) -> list[Item | None]:
        places = [guard.address(scope, key) for key in keys]
        distinct = list(dict.fromkeys(places))
        found: dict[Address, Item] = {}
        for start in range(0, len(distinct), GET_KEYS):
            wanted: Wire = {}
            for place in distinct[start : start + GET_KEYS]:
                request = wanted.setdefault(self._tables[place.table], {"Keys": [], "ConsistentRead": True})
                request["Keys"].append(marshal.key(place))
            for table, held in self._batch("BatchGetItem", wanted, "UnprocessedKeys"):
                item = marshal.item(table, held)[1]
                found[guard.address(scope, item.key)] = item
        return [found.get(place) for place in places]

    def batch_put(self, scope: TenantScope, items: Sequence[Item]) -> None:
        checked = {place: item for place, item, _ in (guard.checked_item(scope, item) for item in items)}
        last = list(checked.items())
        for start in range(0, len(last), PUT_ITEMS):
            wanted: Wire = {}
            for place, item in last[start : start + PUT_ITEMS]:
                requests = wanted.setdefault(self._tables[place.table], [])
                requests.append({"PutRequest": {"Item": marshal.wire(scope, place, item)}})
            self._batch("BatchWriteItem", wanted, "UnprocessedItems")

    def _batch(self, operation: str, wanted: Wire, left: str) -> list[tuple[Table, Wire]]:
        """Sends a batch until nothing of it is left unprocessed; answers what was read."""
        by_name = {name: table for table, name in self._tables.items()}
        found = []
        for attempt in range(ATTEMPTS):
            answer = self.caller.call(operation, {"RequestItems": wanted})
            for name, items in answer.get("Responses", {}).items():
                found += [(by_name[name], held) for held in items]
            wanted = answer.get(left) or {}
            if not wanted:
                return found
            self.caller.pause(attempt)
        raise StoreUnavailable(f"{operation} left some items undone after {ATTEMPTS} attempts")

    def query(
        self,
        scope: TenantScope,
        table: Table,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
        consistent: bool = True,
    ) -> Page:
        return self._page(guard.listing(scope, table, None, partition, within, cursor), consistent)

    def query_index(
        self,
        scope: Scope,
        table: Table,
        index: Index,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
    ) -> Page:
        return self._page(guard.listing(scope, table, index, partition, within, cursor), False)

    def _page(self, listing: Listing, consistent: bool) -> Page:
        if listing.empty:
            return Page(())
        marks = Placeholders()
        limit = listing.within.limit
        arguments: Wire = {
            "TableName": self._tables[listing.table],
            "ScanIndexForward": not listing.within.reverse,
            "ConsistentRead": consistent,
            **expressions.key_condition(listing, marks),
            **marks.arguments(),
        }
        if listing.index is not None:
            arguments["IndexName"] = str(listing.index)
        if listing.after is not None:
            arguments["ExclusiveStartKey"] = _start(listing, listing.after)
        held: list[Wire] = []
        # One item more than the page holds tells whether the page is the last.
        while len(held) <= limit:
            answer = self.caller.call("Query", arguments | {"Limit": limit + 1 - len(held)})
            held += answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                break
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        rows = tuple([Row(*marshal.item(listing.table, one)) for one in held[:limit]])
        return Page(rows, listing.cursor(_position(listing, held[limit - 1])) if len(held) > limit else None)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self._write(scope, guard.checked_ops(scope, ops))

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        try:
            checked = guard.checked_ops(scope, ops)
            pool = self._threads()
        except MillraceError as error:
            failed: Future[None] = Future()
            failed.set_exception(error)
            return failed
        self._room.acquire()
        future = pool.submit(self._write, scope, checked)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="millrace-dynamodb")
            return self._pool

    def _write(self, scope: TenantScope, ops: Sequence[tuple[Address, Op]]) -> None:
        repeatable = not any(isinstance(op, Update) and op.add for _, op in ops)
        if len(ops) == 1 and not isinstance(ops[0][1], Require):
            ((operation, arguments),) = self._request(scope, *ops[0]).items()
            self.caller.call(f"{operation}Item", arguments, repeatable=repeatable)
            return
        requests = []
        for place, op in ops:
            request = self._request(scope, place, op)
            requests.append(request)
        token = f"{self._random.bits(128):032x}"
        arguments = {"TransactItems": requests, "ClientRequestToken": token}
        self.caller.call("TransactWriteItems", arguments, repeatable=repeatable)

    def _request(self, scope: TenantScope, place: Address, op: Op) -> Wire:
        """One operation under the name it has in a transaction."""
        marks = Placeholders()
        arguments: Wire = {"TableName": self._tables[place.table], **expressions.condition(op.when, marks)}
        match op:
            case Put():
                name = "Put"
                arguments["Item"] = marshal.wire(scope, place, op.item)
            case Update():
                name = "Update"
                arguments |= {"Key": marshal.key(place), **expressions.update(scope, op, marks)}
            case Delete():
                name = "Delete"
                arguments["Key"] = marshal.key(place)
            case Require():
                name = "ConditionCheck"
                arguments["Key"] = marshal.key(place)
        return {name: arguments | marks.arguments()}

    def add(
        self, scope: TenantScope, key: Key, counters: Mapping[str, int], *, when: tuple[Condition, ...] = ()
    ) -> dict[str, int]:
        ((place, op),) = guard.checked_ops(scope, [Update(key, add=counters, when=when)])
        arguments = self._request(scope, place, op)["Update"] | {"ReturnValues": "UPDATED_NEW"}
        held = self.caller.call("UpdateItem", arguments, repeatable=False).get("Attributes", {})
        return {name: int(held[name]["N"]) for name in counters}

    def close(self) -> None:
        """Waits for outstanding writes. Later ones by `submit` end with StoreUnavailable."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def _start(listing: Listing, position: Sequence[str]) -> Wire:
    """The ExclusiveStartKey of a position."""
    _, sort = expressions.key_names(listing)
    partition, _ = expressions.key_names(listing)
    start = {partition: {"S": listing.partition}, sort: {"S": position[0]}}
    if listing.index is not None:
        start |= {PARTITION: {"S": position[1]}, SORT: {"S": position[2]}}
    return start


def _position(listing: Listing, held: Wire) -> tuple[str, ...]:
    _, sort = expressions.key_names(listing)
    if listing.index is None:
        return (held[sort]["S"],)
    return held[sort]["S"], held[PARTITION]["S"], held[SORT]["S"]
