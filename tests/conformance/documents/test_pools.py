"""Places of pools over every store: never too many at once, each to the key whose turn it is, and nobody forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millrace.adapters.dynamodb.documents import DynamoDocuments
from millrace.base.errors import OutcomeUnknown
from millrace.base.limits import SLOTS
from millrace.ports.documents import Documents, Op, Range, Table, TenantScope, Update
from millrace.store.executions import actor_key, inbox_partition, message_of, new_actor, read_actor
from millrace.store.pool_items import TURNS_KEPT, Bid, Head, Pool, headed, read_head
from millrace.store.pools import give, leave, take
from millrace.store.slots import Holder

POOL = Pool("default", "gpu")
AT = 1_767_225_600_000
CALLERS = 20
KEYS = "abcd"


def bid(number: int, key: str = "a", *, limit: int = 9, size: int = 2, path: str = "", **more: Any) -> Bid:
    return Bid(key, Holder(f"x{number:03d}", path, AT + number), limit, size, **more)


def begin(documents: Documents, scope: TenantScope, *numbers: int) -> None:
    for number in numbers:
        documents.write(scope, [new_actor(f"x{number:03d}", AT)])


def ask(documents: Documents, scope: TenantScope, wanted: Bid, *, wait: bool = True) -> str:
    return take(documents, scope, POOL, wanted, wait=wait, now=5)


def go(documents: Documents, scope: TenantScope, wanted: Bid) -> list[str]:
    return leave(documents, scope, POOL, wanted, now=5)


def holders(documents: Documents, scope: TenantScope) -> set[str]:
    return {name.partition("#")[0] for name in read_head(documents, scope, POOL).holders}


def lines(documents: Documents, scope: TenantScope) -> dict[str, tuple[int, int]]:
    """By key, how many wait as its item says, and how many stand in its line."""
    rows = documents.query(scope, Table.HISTORY, POOL.keys).rows
    found: dict[str, Any] = {str(row.item.attrs["key"]): row.item for row in rows}
    return {
        key: (item.attrs["waiters"], len(documents.query(scope, Table.HISTORY, POOL.line(item.key.sort)).rows))
        for key, item in found.items()
    }


def told(documents: Documents, scope: TenantScope, number: int) -> list[tuple[str, object]]:
    page = documents.query(scope, Table.HISTORY, inbox_partition(f"x{number:03d}"), within=Range(limit=10))
    return [(message.kind, message.payload) for message in (message_of(row.item) for row in page.rows)]


def test_a_free_place_is_taken_once_however_often_it_is_asked_for(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1)
    assert ["granted", "granted"] == [ask(documents, scope, bid(1)), ask(documents, scope, bid(1))]
    assert {"x001"} == holders(documents, scope)


def test_keys_share_the_places_of_their_pool(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    answers = [ask(documents, scope, bid(number, key)) for number, key in ((1, "a"), (2, "b"), (3, "c"))]
    assert ["granted", "granted", "queued"] == answers
    assert ["x003"] == go(documents, scope, bid(1))
    assert [("slot", {"key": "c"})] == told(documents, scope, 3)
    assert {} == lines(documents, scope)


def test_a_key_at_its_limit_waits_while_others_take_what_is_free(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    asked = [bid(1, limit=1), bid(2, limit=1), bid(3, "b", limit=1)]
    assert ["granted", "queued", "granted"] == [ask(documents, scope, one) for one in asked]
    assert [] == go(documents, scope, asked[2])
    assert ["x002"] == go(documents, scope, asked[0])


def test_a_key_below_its_min_goes_before_keys_that_waited_longer(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, *range(1, 7))
    asked = [bid(number) for number in (1, 2, 3, 4)] + [bid(5, "b", min=1), bid(6, "b", min=1)]
    for one in asked:
        ask(documents, scope, one)
    assert ["x005"] == go(documents, scope, asked[0])
    assert {"x002", "x005"} == holders(documents, scope)
    assert ["x003"] == go(documents, scope, asked[1])
    assert ["x006"] == go(documents, scope, asked[4])


def test_within_a_key_places_go_by_arrival(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3, 4)
    for number in (1, 4, 2, 3):
        ask(documents, scope, bid(number, size=1))
    assert {"a": (3, 3)} == lines(documents, scope)
    assert [["x002"], ["x003"], ["x004"], []] == [go(documents, scope, bid(number, size=1)) for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("wait", [True, False], ids=["may wait", "may not wait"])
def test_who_gave_a_place_up_or_was_refused_gets_none_again(
    documents: Documents, scope: TenantScope, wait: bool
) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2):
        ask(documents, scope, bid(number))
    assert "full" == ask(documents, scope, bid(3), wait=False)
    go(documents, scope, bid(1))
    assert ["full", "full"] == [ask(documents, scope, bid(number), wait=wait) for number in (1, 3)]
    assert {"x002"} == holders(documents, scope)


class Unacknowledged:
    """Documents of which one write is made, or lost on its way, and nobody is told."""

    def __init__(self, documents: Documents, lost: int, *, made: bool) -> None:
        self._documents = documents
        self._left = lost
        self._made = made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self._left -= 1
        if self._left != 0 or self._made:
            self._documents.write(scope, ops)
        if self._left == 0:
            raise OutcomeUnknown("The store does not answer.")


@pytest.mark.parametrize("made", [True, False], ids=["made", "lost"])
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_whatever_write_is_not_acknowledged_everybody_is_served_once(
    documents: Documents, scope: TenantScope, lost: int, made: bool
) -> None:
    begin(documents, scope, 1, 2, 3)
    ask(documents, scope, bid(1, size=1))
    shaky: Any = Unacknowledged(documents, lost, made=made)
    assert ["queued", "queued"] == [ask(shaky, scope, bid(2, "b", size=1)), ask(shaky, scope, bid(3, "b", size=1))]
    assert {"b": (2, 2)} == lines(documents, scope)
    shaky = Unacknowledged(documents, lost, made=made)
    for number in (1, 2, 3):
        assert {f"x{number:03d}"} == holders(documents, scope)
        go(shaky, scope, bid(number, "b" if number > 1 else "a", size=1))
    assert (set(), {}) == (holders(documents, scope), lines(documents, scope))
    assert [1, 1] == [len(told(documents, scope, number)) for number in (2, 3)]


def test_who_leaves_the_line_gets_no_place_and_its_key_no_turn(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, *range(1, 6))
    asked = [bid(1, size=1), bid(2, "b", size=1), bid(3, "b", size=1), bid(4, "c", size=1), bid(5, "b", size=1)]
    for one in asked:
        ask(documents, scope, one)
    assert [] == go(documents, scope, asked[1])
    assert [] == go(documents, scope, asked[3])
    assert {"b": (2, 2)} == lines(documents, scope)
    assert [] == go(documents, scope, asked[4])
    assert ["x003"] == go(documents, scope, asked[0])


def test_the_terms_of_a_key_are_those_of_the_first_in_its_line(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, *range(1, 6))
    ask(documents, scope, bid(1, limit=1))
    narrow, wide = bid(2, limit=1), bid(3, limit=2)
    assert ["queued", "queued"] == [ask(documents, scope, one) for one in (narrow, wide)]
    assert ["x003"] == go(documents, scope, narrow)
    earlier = bid(0, limit=1)
    begin(documents, scope, 0)
    assert ["queued", "queued"] == [ask(documents, scope, one) for one in (bid(4, limit=3), earlier)]
    assert [] == go(documents, scope, bid(1))
    assert ["x000", "x004"] == go(documents, scope, wide)


@pytest.mark.parametrize("change", [{"done": True}, {"closing": True}], ids=["over", "closing"])
def test_a_waiter_that_is_over_is_passed_over(documents: Documents, scope: TenantScope, change: dict[str, Any]) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2, 3):
        ask(documents, scope, bid(number, size=1))
    documents.write(scope, [Update(actor_key("x002"), set=change)])
    assert ["x003"] == go(documents, scope, bid(1, size=1))


def test_places_of_executions_that_are_over_are_free(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2):
        ask(documents, scope, bid(number))
    documents.write(scope, [Update(actor_key("x001"), set={"done": True})])
    assert "granted" == ask(documents, scope, bid(3, "b"), wait=False)
    assert {"x002", "x003"} == holders(documents, scope)


def test_who_stands_in_line_already_sees_that_a_holder_is_over(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2)
    assert ["granted", "queued"] == [ask(documents, scope, bid(number, size=1)) for number in (1, 2)]
    documents.write(scope, [Update(actor_key("x001"), set={"done": True})])
    assert "granted" == ask(documents, scope, bid(2, size=1))


def test_a_place_that_was_freed_and_not_given_away_goes_to_whose_turn_it_is(
    documents: Documents, scope: TenantScope
) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2):
        ask(documents, scope, bid(number, size=1))
    version = read_head(documents, scope, POOL).version
    documents.write(scope, [headed(POOL, Head(version))])  # stopped half way
    assert "queued" == ask(documents, scope, bid(3, "b", size=1))
    assert {"x002"} == holders(documents, scope)
    assert [("slot", {"key": "a"})] == told(documents, scope, 2)
    assert 1 == read_actor(documents, scope, "x002").inbox_seq  # type: ignore[union-attr]


def test_who_holds_a_place_and_stands_in_line_as_well_is_taken_out_of_it(
    documents: Documents, scope: TenantScope
) -> None:
    begin(documents, scope, 1, 2)
    for number in (1, 2):
        ask(documents, scope, bid(number, size=1))
    head = read_head(documents, scope, POOL)
    held = {bid(2).holder.id: {"execution": "x002", "at": AT, "key": bid(2).key_id, "weight": 1}}
    documents.write(scope, [headed(POOL, Head(head.version, held))])  # by a driver that lost its lease
    assert [] == give(documents, scope, POOL, now=5)
    assert {"a": (1, 1)} == lines(documents, scope)
    assert "queued" == ask(documents, scope, bid(1, "b", size=1))
    assert ["x001"] == go(documents, scope, bid(2, size=1))
    assert {} == lines(documents, scope)


def test_pools_of_other_namespaces_are_other_places(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2)
    ask(documents, scope, bid(1, size=1))
    other = take(documents, scope, Pool("other", "gpu"), bid(2, size=1), wait=True, now=5)
    assert "granted" == other


def test_the_largest_pool_with_the_longest_names_is_one_item(documents: Documents, scope: TenantScope) -> None:
    keys = [bid(0, f"{number}" * 100).key_id for number in range(TURNS_KEPT)]
    many = {
        Holder(f"{number:026d}.{number}", "x" * 999, AT).id: {
            "execution": f"{number:026d}.{number}",
            "at": AT,
            "key": keys[number % len(keys)],
            "weight": 1000,
        }
        for number in range(SLOTS)
    }
    documents.write(scope, [headed(POOL, Head(0, many, 1 << 62, dict.fromkeys(keys, 1 << 62)))])
    assert SLOTS == len(read_head(documents, scope, POOL).holders)


def test_many_at_once_hold_no_more_than_pool_and_key_have_and_all_get_their_turn(
    documents: Documents, scope: TenantScope
) -> None:
    emulated = isinstance(documents, DynamoDocuments)  # takes a hundred times as long for a transaction
    callers = 8 if emulated else CALLERS
    begin(documents, scope, *range(callers))
    asked = {
        f"x{number:03d}": bid(number, KEYS[number % 4 if number % 2 else 0], limit=3, size=5, min=number % 4 // 3)
        for number in range(callers)
    }
    with ThreadPoolExecutor(3 if emulated else 6) as threads:
        answers = list(threads.map(lambda one: ask(documents, scope, one), asked.values()))
        assert {"granted", "queued"} == set(answers)
        served: set[str] = set()
        while held := holders(documents, scope):
            by_key = Counter(asked[name].key for name in held)
            assert len(held) <= 5
            assert max(by_key.values()) <= 3
            assert all(waiting == standing for waiting, standing in lines(documents, scope).values())
            served |= held
            list(threads.map(lambda name: go(documents, scope, asked[name]), held))
    assert callers == len(served)
    assert {} == lines(documents, scope)
