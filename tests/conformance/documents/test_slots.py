"""Places under concurrency keys over every store: many at once, in order of arrival, and nobody forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millrace.base.errors import OutcomeUnknown
from millrace.ports.documents import Documents, Op, Range, Table, TenantScope, Update
from millrace.store.executions import actor_key, inbox_partition, message_of, new_actor, read_actor
from millrace.store.slots import Holder, Place, leave, take

PLACE = Place("default", "db")
AT = 1_767_225_600_000
CALLERS = 60


def holder(number: int, path: str = "") -> Holder:
    return Holder(f"x{number:03d}", path, AT + number)


def begin(documents: Documents, scope: TenantScope, *numbers: int) -> None:
    for number in numbers:
        documents.write(scope, [new_actor(f"x{number:03d}", AT)])


def ask(documents: Documents, scope: TenantScope, number: int, *, limit: int = 1, wait: bool = True) -> str:
    return take(documents, scope, PLACE, holder(number), limit=limit, wait=wait, now=5)


def holders(documents: Documents, scope: TenantScope) -> set[str]:
    item = documents.get(scope, PLACE.head)
    return set() if item is None else {name.partition("#")[0] for name in item.attrs["holders"]}  # type: ignore[union-attr]


def told(documents: Documents, scope: TenantScope, number: int) -> list[tuple[str, object]]:
    page = documents.query(scope, Table.HISTORY, inbox_partition(f"x{number:03d}"), within=Range(limit=10))
    return [(message.kind, message.payload) for message in (message_of(row.item) for row in page.rows)]


def test_a_free_place_is_taken_once_however_often_it_is_asked_for(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1)
    assert ["granted", "granted"] == [ask(documents, scope, 1), ask(documents, scope, 1)]
    assert {"x001"} == holders(documents, scope)


def test_who_may_not_wait_is_refused_and_stands_in_no_line(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    ask(documents, scope, 1)
    assert "full" == ask(documents, scope, 2, wait=False)
    assert [] == leave(documents, scope, PLACE, holder(1), now=5)
    assert "granted" == ask(documents, scope, 3, wait=False)


@pytest.mark.parametrize("wait", [True, False], ids=["may wait", "may not wait"])
def test_who_gave_a_place_up_or_was_refused_gets_none_again(
    documents: Documents, scope: TenantScope, wait: bool
) -> None:
    begin(documents, scope, 1, 2)
    ask(documents, scope, 1)
    assert "full" == ask(documents, scope, 2, wait=False)
    assert ["full", "full"] == [ask(documents, scope, 2, wait=wait) for _ in range(2)]
    leave(documents, scope, PLACE, holder(1), now=5)
    assert ["full", "full"] == [ask(documents, scope, number, wait=wait) for number in (1, 2)]
    assert set() == holders(documents, scope)


class Unacknowledged:
    """Documents of which one write is lost on its way, and nobody is told."""

    def __init__(self, documents: Documents, lost: int) -> None:
        self._documents = documents
        self._left = lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self._left -= 1
        if self._left == 0:
            raise OutcomeUnknown("The store does not answer.")
        self._documents.write(scope, ops)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_who_was_told_to_wait_stands_in_line_whatever_write_is_lost(
    documents: Documents, scope: TenantScope, lost: int
) -> None:
    begin(documents, scope, 1, 2)
    ask(documents, scope, 1)
    assert "queued" == ask(Unacknowledged(documents, lost), scope, 2)  # type: ignore[arg-type]
    assert ["x002"] == leave(documents, scope, PLACE, holder(1), now=5)


def test_a_place_goes_to_who_has_waited_longest_with_a_message(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    ask(documents, scope, 1)
    assert ["queued", "queued", "queued"] == [ask(documents, scope, number) for number in (3, 2, 2)]
    assert ["x002"] == leave(documents, scope, PLACE, holder(1), now=5)
    assert [("slot", {"key": "db"})] == told(documents, scope, 2)
    assert [] == told(documents, scope, 3)
    assert 1 == read_actor(documents, scope, "x002").inbox_seq  # type: ignore[union-attr]
    assert ["x003"] == leave(documents, scope, PLACE, holder(2), now=5)


def test_who_leaves_the_line_gets_no_place(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2, 3):
        ask(documents, scope, number)
    assert [] == leave(documents, scope, PLACE, holder(2), now=5)
    assert ["x003"] == leave(documents, scope, PLACE, holder(1), now=5)


class Meanwhile:
    """Documents in which something happens before the first write."""

    def __init__(self, documents: Documents, happens: Callable[[], object]) -> None:
        self._documents = documents
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        self._documents.write(scope, ops)


def test_who_is_given_a_place_while_leaving_the_line_does_not_keep_it(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2, 3):
        ask(documents, scope, number)
    freed = Meanwhile(documents, lambda: leave(documents, scope, PLACE, holder(1), now=5))
    assert ["x003"] == leave(freed, scope, PLACE, holder(2), now=5)  # type: ignore[arg-type]
    assert {"x003"} == holders(documents, scope)


def test_a_waiter_that_is_over_is_passed_over(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2, 3)
    for number in (1, 2, 3):
        ask(documents, scope, number)
    documents.write(scope, [Update(actor_key("x002"), set={"done": True})])
    assert ["x003"] == leave(documents, scope, PLACE, holder(1), now=5)


def test_a_place_of_an_execution_that_is_over_is_free(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2)
    ask(documents, scope, 1)
    documents.write(scope, [Update(actor_key("x001"), set={"done": True})])
    assert "granted" == ask(documents, scope, 2)
    assert {"x002"} == holders(documents, scope)


def test_a_place_that_was_freed_and_not_given_away_goes_to_the_first_in_line(
    documents: Documents, scope: TenantScope
) -> None:
    begin(documents, scope, 1, 2, 3)
    ask(documents, scope, 1)
    ask(documents, scope, 2)
    documents.write(scope, [Update(PLACE.head, set={"version": 9, "holders": {}})])  # stopped half way
    assert "queued" == ask(documents, scope, 3)
    assert {"x002"} == holders(documents, scope)
    assert [("slot", {"key": "db"})] == told(documents, scope, 2)


def test_tasks_of_one_execution_hold_places_of_their_own(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1)
    answers = [take(documents, scope, PLACE, holder(1, path), limit=2, wait=False, now=5) for path in ("a", "b", "c")]
    assert ["granted", "granted", "full"] == answers


def test_keys_of_other_namespaces_are_other_places(documents: Documents, scope: TenantScope) -> None:
    begin(documents, scope, 1, 2)
    ask(documents, scope, 1)
    assert "granted" == take(documents, scope, Place("other", "db"), holder(2), limit=1, wait=True, now=5)


def test_many_at_once_never_hold_more_than_the_limit_and_all_get_their_turn(
    documents: Documents, scope: TenantScope
) -> None:
    begin(documents, scope, *range(CALLERS))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: ask(documents, scope, number, limit=3), range(CALLERS)))
        assert (3, CALLERS - 3) == (answers.count("granted"), answers.count("queued"))
        served = set(holders(documents, scope))
        while held := holders(documents, scope):
            assert len(held) <= 3
            served |= held
            list(pool.map(lambda name: leave(documents, scope, PLACE, holder(int(name[1:])), now=5), held))
    assert CALLERS == len(served)
