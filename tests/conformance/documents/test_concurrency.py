"""Many writers at once: one winner, no lost addition, and reads that fit some order of the writes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from millrace.base.errors import ConditionRefused
from millrace.ports.documents import ABSENT, Check, Documents, TenantScope, Update
from tests.conformance.documents.builders import attrs, key, put

WRITERS = 8


def test_of_many_conditional_writers_exactly_one_wins(documents: Documents, scope: TenantScope) -> None:
    def claim(number: int) -> bool:
        try:
            documents.write(scope, [put("a", {"owner": number}, *ABSENT), put(f"by-{number}")])
        except ConditionRefused:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        won = list(pool.map(claim, range(WRITERS)))
    assert sum(won) == 1
    assert {"owner": won.index(True)} == attrs(documents, scope, key("a"))
    written = documents.batch_get(scope, [key(f"by-{number}") for number in range(WRITERS)])
    assert won == [one is not None for one in written]


def test_additions_of_many_threads_are_all_counted_and_each_sees_its_own(
    documents: Documents, scope: TenantScope
) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        seen = list(pool.map(lambda _: documents.add(scope, key("a"), {"n": 1})["n"], range(5 * WRITERS)))
    assert list(range(1, 5 * WRITERS + 1)) == sorted(seen)
    assert attrs(documents, scope, key("a")) == {"n": 5 * WRITERS}


def test_compare_and_set_by_many_threads_loses_no_step(documents: Documents, scope: TenantScope) -> None:
    documents.write(scope, [put("a", {"n": 0})])

    def step(_: int) -> None:
        while True:
            now = attrs(documents, scope, key("a"))["n"]
            try:
                return documents.write(scope, [Update(key("a"), set={"n": now + 1}, when=(Check("eq", "n", now),))])
            except ConditionRefused:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(step, range(20)))
    assert attrs(documents, scope, key("a")) == {"n": 20}


def test_a_register_read_and_written_by_many_threads_is_linearizable(documents: Documents, scope: TenantScope) -> None:
    """Each write stores a version one higher by compare-and-set, so versions are the order of the writes. Then it is
    enough that no read sees less than what was acknowledged before it began, or more than had begun when it ended."""
    documents.write(scope, [put("r", {"v": 0})])
    acknowledged = begun = 0
    lock = threading.Lock()
    faults: list[tuple[int, int, int]] = []
    reads: list[int] = []

    def write(_: int) -> None:
        nonlocal acknowledged, begun
        now = attrs(documents, scope, key("r"))["v"]
        with lock:
            begun = max(begun, now + 1)
        try:
            documents.write(scope, [Update(key("r"), set={"v": now + 1}, when=(Check("eq", "v", now),))])
        except ConditionRefused:
            return
        with lock:
            acknowledged = max(acknowledged, now + 1)

    def read(_: int) -> None:
        with lock:
            floor = acknowledged
        seen = attrs(documents, scope, key("r"))["v"]
        with lock:
            reads.append(seen)
            if not floor <= seen <= begun:
                faults.append((floor, seen, begun))

    with ThreadPoolExecutor(6) as pool:
        for number in range(40):
            pool.submit(write, number)
            pool.submit(read, number)
    assert faults == []
    assert len(reads) == 40
    assert 5 <= acknowledged == attrs(documents, scope, key("r"))["v"]
