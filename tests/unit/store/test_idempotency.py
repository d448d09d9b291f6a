from __future__ import annotations

from typing import Any

import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused, IdempotencyMismatch, InvalidRequest
from millrace.base.ids import Millis
from millrace.ports.documents import Table, TenantScope
from millrace.store.idempotency import KEPT_MS, Claim, checked_key, earlier_answer, record

SCOPE = TenantScope("acme")
NOW = Millis(1_700_000_000_000)
CLAIM = Claim(Table.DEFINITIONS, "POST /x", "key-1", "hash-1")


def test_a_claim_without_a_record_has_no_answer() -> None:
    assert earlier_answer(MemoryDocuments(), SCOPE, CLAIM, now=NOW) is None


def test_a_recorded_answer_is_given_again() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [record(CLAIM, {"id": 7}, now=NOW)])
    assert {"id": 7} == earlier_answer(documents, SCOPE, CLAIM, now=NOW)


def test_the_key_with_another_body_is_a_mismatch() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [record(CLAIM, {"id": 7}, now=NOW)])
    other = Claim(CLAIM.table, CLAIM.route, CLAIM.key, "hash-2")
    with pytest.raises(IdempotencyMismatch):
        earlier_answer(documents, SCOPE, other, now=NOW)


def test_another_tenant_or_route_does_not_see_the_record() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [record(CLAIM, {"id": 7}, now=NOW)])
    assert earlier_answer(documents, TenantScope("other"), CLAIM, now=NOW) is None
    elsewhere = Claim(CLAIM.table, "POST /y", CLAIM.key, CLAIM.body_hash)
    assert earlier_answer(documents, SCOPE, elsewhere, now=NOW) is None


def test_a_living_record_refuses_a_second_one_and_an_expired_one_gives_way() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [record(CLAIM, {"id": 7}, now=NOW)])
    with pytest.raises(ConditionRefused):
        documents.write(SCOPE, [record(CLAIM, {"id": 8}, now=Millis(NOW + KEPT_MS - 1))])
    later = Millis(NOW + KEPT_MS)
    assert earlier_answer(documents, SCOPE, CLAIM, now=later) is None
    documents.write(SCOPE, [record(CLAIM, {"id": 9}, now=later)])
    assert {"id": 9} == earlier_answer(documents, SCOPE, CLAIM, now=later)


@pytest.mark.parametrize("key", ["", "a b", "a\n", "é", "x" * 256, "\x00"])
def test_a_key_that_is_not_plain_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_key(key)


def test_a_plain_key_passes() -> None:
    assert "x" * 255 == checked_key("x" * 255)


@pytest.mark.parametrize("depth", [128, 129])
def test_an_answer_is_read_back_as_deep_as_it_may_be_and_no_deeper(depth: int) -> None:
    documents = MemoryDocuments()
    answer: Any = 1
    for _ in range(depth):
        answer = [answer]
    documents.write(SCOPE, [record(CLAIM, answer, now=NOW)])
    if depth == 128:
        assert answer == earlier_answer(documents, SCOPE, CLAIM, now=NOW)
    else:
        with pytest.raises(InvalidRequest, match="128"):
            earlier_answer(documents, SCOPE, CLAIM, now=NOW)
