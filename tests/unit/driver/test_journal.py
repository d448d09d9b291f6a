"""The committer and the park: lost acknowledgements, lost fences, and stores that come and go."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import FenceLost, MillraceError, OutcomeUnknown, StoreUnavailable, Throttled
from millrace.base.limits import TRANSACTION_BYTES, TRANSACTION_OPS
from millrace.driver.advance import advance
from millrace.driver.journal import RETRY_DELAYS_S, ExtraRefused, Journal, grouped
from millrace.driver.loop import DriverLoop
from millrace.driver.park import park, park_id
from millrace.driver.world import Again, Done, Wait
from millrace.engine import events as ev
from millrace.engine.values import inline_value
from millrace.ports.documents import Check, Op, Put, Update
from millrace.store.executions import actor_key, live_executions, read_actor
from millrace.store.runlog import Stamp, segment_puts

from .runs import SCOPE, Local, Script, call

AWAY = [StoreUnavailable("away"), OutcomeUnknown("lost"), Throttled("slow down")]


def journal(local: Local, **world: Any) -> Journal:
    made = Journal(replace(local.world, **world), SCOPE, "x1")
    made.position = 0
    return made


def batch(count: int, size: int = 0) -> list[ev.Event]:
    return [
        ev.SignalReceived(at=n, message=f"m{n}", signal="s", payload=inline_value("x" * size)) for n in range(count)
    ]


class Reads:
    """Documents whose reads fail as often as told."""

    def __init__(self, local: Local, errors: list[MillraceError]) -> None:
        self._local = local
        self.errors = errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._local.documents, name)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        if self.errors:
            raise self.errors.pop()
        return self._local.documents.get(*args, **kwargs)


def lose(local: Local, *, applied: bool, times: int = 1) -> None:
    left = times

    def fail(ops: Any) -> None:
        nonlocal left
        if left:
            left -= 1
            if applied:
                local.documents.write(SCOPE, ops)
            raise OutcomeUnknown("lost")

    local.io.before_commit = fail


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("errors", [[], AWAY])
def test_a_lost_acknowledgement_is_settled_by_reading_however_often_the_read_fails(
    applied: bool, errors: list[Any]
) -> None:
    local = Local()
    lose(local, applied=applied)
    made = journal(local, documents=Reads(local, list(errors)))
    local.run(made.append(batch(3), blobs={}, extra=()))
    assert (3, 3) == (made.position, len(local.events("x1")))


def test_the_tries_of_a_commit_stand_apart_as_the_delays_say() -> None:
    local, at = Local(), []

    def away(_ops: Any) -> None:
        at.append(local.loop.time())
        if len(at) <= len(RETRY_DELAYS_S):
            raise StoreUnavailable("away")

    local.io.before_commit = away
    local.run(journal(local).append(batch(1), blobs={}, extra=()))
    between = [later - earlier - 0.001 for earlier, later in itertools.pairwise(at)]  # a commit takes a millisecond
    assert pytest.approx(RETRY_DELAYS_S) == between


def test_a_read_that_never_comes_back_is_an_error_and_the_position_stays() -> None:
    local = Local()
    lose(local, applied=True)
    made = journal(local, documents=Reads(local, [StoreUnavailable("away")] * (len(RETRY_DELAYS_S) + 1)))
    with pytest.raises(StoreUnavailable):
        local.run(made.append(batch(1), blobs={}, extra=()))
    assert 0 == made.position


def test_another_drivers_segment_is_a_lost_fence_even_behind_a_lost_acknowledgement() -> None:
    for unclear in (True, False):
        local = Local()
        local.documents.write(SCOPE, segment_puts("x1", 0, batch(1), Stamp("other", "w")))
        if unclear:
            lose(local, applied=False)
        with pytest.raises(FenceLost, match="another driver"):
            local.run(journal(local).append(batch(1), blobs={}, extra=()))


def test_a_refused_operation_beside_the_segment_is_told_apart_and_nothing_is_written() -> None:
    local = Local()
    extra: list[Op] = [Update(actor_key("x1"), set={"owner": "d"}, when=(Check("exists"),))]
    with pytest.raises(ExtraRefused):
        local.run(journal(local).append(batch(1), blobs={}, extra=extra))
    assert [] == local.events("x1")


def test_a_batch_of_many_megabytes_is_written_in_groups_with_what_belongs_to_its_end() -> None:
    local = Local()
    extra: list[Op] = [Update(actor_key("x1"), set={"owner": "d"})]
    made = journal(local)
    local.run(made.append(batch(120, 60_000), blobs={}, extra=extra))
    assert (120, True) == (len(local.events("x1")), made.size > 7_000_000)
    assert len(local.io.commits) >= 4
    assert [False] * (len(local.io.commits) - 1) + [True] == [
        any(isinstance(op, Update) for op in ops) for ops in local.io.commits
    ]


@pytest.mark.parametrize("extra", [0, 1])
def test_every_group_of_segments_is_filled_to_half_a_transaction_and_no_further(extra: int) -> None:
    """Four of a quarter each fill a group; one byte more each, and three do."""
    size = TRANSACTION_BYTES // 8 + extra
    item = segment_puts("x1", 0, batch(1), Stamp("d", "w"))[0].item
    puts = [Put(replace(item, attrs={"body": b"x" * size})) for _ in range(9)]
    assert ([4, 4, 1], [3, 3, 3])[extra] == [len(group) for group in grouped(puts, 0)]


@pytest.mark.parametrize("extras", [0, 3])
def test_a_group_leaves_just_the_room_that_is_asked_for(extras: int) -> None:
    puts = [segment_puts("x1", 0, batch(1), Stamp("d", "w"))[0] for _ in range(60)]
    most = TRANSACTION_OPS - extras
    assert [most, most, 60 - 2 * most] == [len(group) for group in grouped(puts, extras)]


def test_more_small_segments_than_a_transaction_holds_are_split() -> None:
    local = Local()
    made = journal(local)
    local.run(made.append(batch(40, 64_000), blobs={}, extra=()))
    assert all(len(ops) <= 25 for ops in local.io.commits)
    assert list(range(40)) == [event.at for event in local.events("x1")]


def test_a_journal_counts_the_bytes_that_it_has_written() -> None:
    local = Local()
    made, sizes = journal(local), []
    for _ in range(2):
        local.run(made.append(batch(3, 1_000), blobs={}, extra=()))
        sizes.append(made.size)
    bodies = [op.item.attrs["body"] for ops in local.io.commits for op in ops if isinstance(op, Put)]
    assert ([len(bodies[0]), len(bodies[0]) + len(bodies[1])], 6) == (sizes, made.position)  # type: ignore[arg-type]


def test_a_blob_that_can_never_be_written_keeps_the_log_as_it_is() -> None:
    local = Local()

    class Away:
        def put(self, *_: Any) -> None:
            raise Throttled("slow down")

    with pytest.raises(Throttled):
        local.run(journal(local, blobs=Away()).append(batch(1), blobs={("a",): b"x"}, extra=()))
    assert [] == local.events("x1")


# leases and parks


def test_giving_up_a_lease_that_another_took_is_no_error() -> None:
    local = Local()
    execution = local.begin([call("short", attemptTimeout="5s"), call("long", attemptTimeout="60s")])

    def steal(ops: Any) -> None:
        if any(isinstance(op, Update) and "owner" in op.remove for op in ops):
            local.documents.write(SCOPE, [Update(actor_key(execution), set={"owner": "other"})])

    local.io.before_commit = steal
    assert Again(0, "deadline") == local.drive(execution, deadline=local.clock.now() + 20_000)
    assert "other" == read_actor(local.documents, SCOPE, execution).owner  # type: ignore[union-attr]


def test_a_driver_that_never_claimed_has_nothing_to_give_up() -> None:
    local = Local()
    execution = local.begin([call("long", attemptTimeout="60s")])
    assert Again(0, "deadline") == local.drive(execution, deadline=local.clock.now() + 20_000)
    assert ([], []) == (local.io.commits, local.script.performed)


VIEW: dict[str, Any] = {"position": 1, "owner": "d1"}


@pytest.mark.parametrize(("applied", "parked"), [(True, True), (False, False)])
def test_a_park_whose_acknowledgement_is_lost_is_settled_by_reading(applied: bool, parked: bool) -> None:
    local = Local()
    execution = local.begin([call("a")])

    class Lost:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def write(self, scope: Any, ops: Any) -> None:
            if applied:
                local.documents.write(scope, ops)
            raise OutcomeUnknown("lost")

    found = park(Lost(), SCOPE, execution, **VIEW, token="t", wake_at=None, seen_seq=0, now=1)  # type: ignore[arg-type]
    assert parked is found


def test_a_park_without_a_timer_wakes_at_no_time() -> None:
    local = Local()
    execution = local.begin([call("a")])
    assert park(local.documents, SCOPE, execution, **VIEW, token="t", wake_at=None, seen_seq=0, now=1)
    assert 0 == read_actor(local.documents, SCOPE, execution).wake_at  # type: ignore[union-attr]


def test_no_park_is_stored_when_a_message_came_in_or_the_run_has_ended() -> None:
    local = Local()
    execution = local.begin([call("a")])
    documents = local.documents
    assert park(documents, SCOPE, execution, **VIEW, token="t", wake_at=5, seen_seq=0, now=1)
    actor = read_actor(documents, SCOPE, execution)
    assert ("t", park_id("t"), 5, 0) == (  # type: ignore[union-attr]
        actor.token, actor.park_id, actor.wake_at, actor.seen_seq
    )  # fmt: skip
    documents.write(SCOPE, [Update(actor_key(execution), add={"inboxSeq": 1})])
    assert not park(documents, SCOPE, execution, **VIEW, token="u", wake_at=5, seen_seq=0, now=1)
    documents.write(SCOPE, [Update(actor_key(execution), set={"done": True})])
    assert not park(documents, SCOPE, execution, **VIEW, token="u", wake_at=5, seen_seq=1, now=1)
    assert not park(documents, SCOPE, "nowhere", **VIEW, token="u", wake_at=5, seen_seq=0, now=1)


def test_a_long_token_is_held_once() -> None:
    local = Local()
    execution = local.begin([call("a")])
    sizes = []
    for token in ("t", "t" * 1000):
        assert park(local.documents, SCOPE, execution, **VIEW, token=token, wake_at=5, seen_seq=0, now=1)
        sizes.append(len(str(local.documents.get(SCOPE, actor_key(execution)))))
    assert 999 == sizes[1] - sizes[0]
    assert park_id("t") != park_id("u")


def test_who_knows_less_than_the_log_holds_does_not_park() -> None:
    local = Local()
    execution = local.begin([{"id": "a", "wait": {"for": "1h"}}])
    outcome = local.drive(execution)
    assert isinstance(outcome, Wait)
    length = len(local.events(execution))
    late = {"token": "late", "owner": "d2", "wake_at": None, "seen_seq": 0, "now": local.clock.now() + 60_000}
    for known in (0, 1, length - 1):
        assert not park(local.documents, SCOPE, execution, position=known, **late)
    assert park(local.documents, SCOPE, execution, position=length, **late)
    assert park(local.documents, SCOPE, execution, position=-1, **late)


def test_nobody_parks_what_another_driver_runs() -> None:
    local = Local()
    execution = local.begin([call("a")])
    held = {"owner": "d1", "leaseUntil": 1_000}
    for owner, now, parked in (("d2", 999, False), ("d1", 999, True), ("d2", 1_000, True), ("", 999, True)):
        local.documents.write(SCOPE, [Update(actor_key(execution), set=held)])
        view = {"position": 1, "seen_seq": 0, "wake_at": None, "token": "t"}
        assert parked is park(local.documents, SCOPE, execution, owner=owner, now=now, **view)


def test_a_result_that_comes_after_its_task_timed_out_is_dropped() -> None:
    local = Local(Script(lasting={"a": 2.0}))
    execution = local.begin([call("a", timeout="2s", continueOnError=True), call("b", "a")])
    body = local.finish(execution)
    assert "succeeded" == body["status"]
    finished = [event.path for event in local.events(execution, ev.TaskFinished)]
    assert ["a", "b"] == finished


def test_a_run_is_done_the_same_from_any_loop_of_a_sandbox() -> None:
    loop = DriverLoop()
    local = Local(Script(lasting={"a": 0.01}))
    execution = local.begin([call("a")])
    names: list[str] = []

    async def turn() -> Any:
        names.append(threading.current_thread().name)
        return await advance(local.world, SCOPE, execution)

    assert [Done("succeeded"), Done("done")] == [loop.run(turn()), loop.run(turn())]
    loop.close()
    loop.close()
    assert Done("done") == loop.run(turn())
    loop.close()
    assert {"millrace-driver"} == set(names)


@pytest.mark.parametrize(("wake_after", "expected"), [(5_000, 35_000), (None, 400 * 24 * 3_600_000 + 30_000)])
def test_a_parked_execution_is_looked_at_after_its_timer_or_when_over_a_year_has_gone(
    wake_after: int | None, expected: int
) -> None:
    local = Local()
    execution, now = local.begin([call("a")]), local.clock.now()
    wake_at = None if wake_after is None else now + wake_after
    assert park(
        local.documents, SCOPE, execution, token="t", wake_at=wake_at, seen_seq=0, position=-1, owner="", now=now
    )
    found = [list(live_executions(local.documents, until=now + expected - 1 + more)) for more in (0, 1)]
    assert [False, True] == [bool(one) for one in found]
