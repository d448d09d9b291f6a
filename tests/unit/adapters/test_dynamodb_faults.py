"""Faults between us and DynamoDB: throttles, failing servers, lost answers (hostile R2, R3)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from moto.core.models import botocore_stubber

from millrace.adapters.dynamodb import DynamoDocuments
from millrace.adapters.dynamodb.caller import ATTEMPTS, BACKOFF_BASE_S, BACKOFF_CAP_S
from millrace.adapters.memory import SeededRandom
from millrace.base.errors import ConditionRefused, InvalidRequest, OutcomeUnknown, StoreUnavailable
from millrace.ports.documents import ABSENT, Check, Delete, Put, Range, Table, TenantScope, Update
from tests.conformance.documents.builders import attrs, item, key, put
from tests.conformance.documents.cloud import REGION, TABLES, dynamodb_documents

SCOPE = TenantScope("t")


@dataclass
class Answer:
    """What botocore has after reading an HTTP answer: ``status_code`` and the parsed body."""

    status_code: int
    parsed: dict


def answer(code: str, status: int = 400, **more: object) -> Answer:
    told = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return Answer(status, told | more)


class Faults:
    """Answers the next requests from a script: an Answer or exception instead of the service, ``"lose"`` for a
    request that takes effect and whose answer is lost, None for none."""

    def __init__(self, store: DynamoDocuments, slept: list[float]) -> None:
        self.store = store
        self.slept = slept
        self.script: list[object] = []
        self.always: object = None
        self.sent: list[str] = []
        self._step: object = None
        events = store.caller.connection().client.meta.events
        events.register("before-call.dynamodb", self._before_call)
        events.register_first("before-send.dynamodb", self._before_send)

    def _before_call(self, event_name: str, **_: object):
        """An answer given here keeps the request from being sent at all."""
        self.sent.append(event_name.rsplit(".", 1)[1])
        self._step = self.script.pop(0) if self.script else self.always
        return (self._step, self._step.parsed) if isinstance(self._step, Answer) else None

    def _before_send(self, event_name: str, request, **_: object) -> None:
        if self._step == "lose":
            botocore_stubber(event_name, request)
            raise ConnectionClosedError(endpoint_url=request.url)
        if isinstance(self._step, Exception):
            raise self._step


@pytest.fixture(scope="module")
def world() -> Iterator[Faults]:
    slept: list[float] = []
    with dynamodb_documents(slept) as store:
        yield Faults(store, slept)


@pytest.fixture
def faults(world: Faults) -> Faults:
    """A healthy, empty store, with nothing sent or slept yet."""
    world.script, world.always = [], None
    for sort in attrs_of_all(world):
        world.store.write(SCOPE, [Delete(key(sort))])
    world.sent.clear()
    world.slept.clear()
    return world


def closed() -> ConnectionClosedError:
    return ConnectionClosedError(endpoint_url="https://dynamodb")


CALLS = {
    "get": lambda store: store.get(SCOPE, key("a")),
    "batch_get": lambda store: store.batch_get(SCOPE, [key("a")]),
    "query": lambda store: store.query(SCOPE, Table.HISTORY, ("thing",)),
    "put": lambda store: store.write(SCOPE, [put("a", {"n": 1})]),
    "update": lambda store: store.write(SCOPE, [Update(key("a"), set={"n": 1})]),
    "delete": lambda store: store.write(SCOPE, [Delete(key("a"))]),
    "transaction": lambda store: store.write(SCOPE, [put("a", {"n": 1}), put("b")]),
    "batch_put": lambda store: store.batch_put(SCOPE, [item("a", {"n": 1})]),
    "add": lambda store: store.add(SCOPE, key("a"), {"n": 1}),
}
READS = {"get", "batch_get", "query"}
CANCELLED = {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "fault",
    [
        lambda: answer("ProvisionedThroughputExceededException"),
        lambda: answer("ThrottlingException"),
        lambda: answer("RequestLimitExceeded"),
        lambda: answer("TransactionConflictException"),
        lambda: answer("TransactionCanceledException", **CANCELLED),
        lambda: EndpointConnectionError(endpoint_url="https://dynamodb"),
    ],
    ids=["provisioned", "throttling", "limit", "conflict", "cancelled", "unsent"],
)
def test_what_did_not_happen_is_tried_again_and_then_given_up_cleanly(faults: Faults, call: str, fault) -> None:
    faults.script = [fault(), fault()]
    CALLS[call](faults.store)
    assert 3 == len(faults.sent)
    before = attrs_of_all(faults)
    faults.script = [fault() for _ in range(ATTEMPTS)]
    faults.sent.clear()
    with pytest.raises(StoreUnavailable):
        CALLS[call](faults.store)
    assert ATTEMPTS == len(faults.sent)
    assert before == attrs_of_all(faults)


def attrs_of_all(faults: Faults) -> dict:
    faults.script = []
    page = faults.store.query(SCOPE, Table.HISTORY, ("thing",), within=Range(limit=100))
    return {row.item.key.sort: row.item.attrs for row in page.rows}


def test_the_pauses_grow_with_full_jitter_up_to_the_cap(faults: Faults) -> None:
    for _ in range(30):
        faults.script = [answer("ThrottlingException") for _ in range(ATTEMPTS)]
        with pytest.raises(StoreUnavailable):
            faults.store.get(SCOPE, key("a"))
    rounds = [faults.slept[start : start + ATTEMPTS - 1] for start in range(0, len(faults.slept), ATTEMPTS - 1)]
    ceilings = [min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**attempt) for attempt in range(ATTEMPTS - 1)]
    assert 30 == len(rounds)
    for number, ceiling in enumerate(ceilings):
        pauses = [one[number] for one in rounds]
        assert 0 <= min(pauses) < ceiling / 3 < 2 * ceiling / 3 < max(pauses) < ceiling


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [500, 503])
def test_a_failing_server_is_tried_again_and_a_write_then_stays_unknown(faults: Faults, call: str, status: int) -> None:
    faults.always = answer("InternalServerError", status)
    with pytest.raises(StoreUnavailable if call in READS else OutcomeUnknown):
        CALLS[call](faults.store)
    assert (1 if call == "add" else ATTEMPTS) == len(faults.sent)


@pytest.mark.parametrize("call", sorted(set(CALLS) - READS))
@pytest.mark.parametrize("fault", ["lose", "closed", "timeout"])
def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(faults: Faults, call: str, fault: str) -> None:
    faults.script = [{"lose": "lose", "closed": closed(), "timeout": ReadTimeoutError(endpoint_url="x")}[fault]]
    with pytest.raises(OutcomeUnknown):
        CALLS[call](faults.store)
    assert 1 == len(faults.sent)
    written = call != "delete" and fault == "lose"
    assert written == (faults.store.get(SCOPE, key("a")) is not None)


def test_a_lost_answer_is_told_apart_from_another_owner_by_a_consistent_read(faults: Faults) -> None:
    faults.script = ["lose"]
    with pytest.raises(OutcomeUnknown):
        faults.store.write(SCOPE, [put("seg", {"owner": "me", "write": 1}, *ABSENT), put("sum")])
    assert {"owner": "me", "write": 1} == attrs(faults.store, SCOPE, key("seg"))
    with pytest.raises(ConditionRefused):
        faults.store.write(SCOPE, [put("seg", {"owner": "other"}, *ABSENT), put("sum")])


def test_a_register_under_random_faults_never_differs_from_what_its_writer_was_told(faults: Faults) -> None:
    """hostile R24: an unknown outcome is settled by one consistent read, which shows this write or the one before."""
    chance = random.Random(24)
    version, last, told, unknown = 0, -1, 0, 0
    for number in range(150):
        kinds = [None] * 6 + [answer("ThrottlingException"), answer("InternalServerError", 500), "lose", closed()]
        faults.script = [chance.choice(kinds)]
        free = Check("missing", "v") if version == 0 else Check("eq", "v", version)
        try:
            faults.store.write(SCOPE, [Update(key("r"), set={"v": version + 1, "w": number}, when=(free,))])
        except OutcomeUnknown:
            unknown += 1
            seen = attrs(faults.store, SCOPE, key("r")) or {"v": 0, "w": -1}
            assert (seen["v"], seen["w"]) in {(version, last), (version + 1, number)}
            version, last = seen["v"], seen["w"]
        else:
            told += 1
            version, last = version + 1, number
    assert {"v": version, "w": last} == attrs(faults.store, SCOPE, key("r"))
    assert told >= 90
    assert unknown >= 10


def test_a_refusal_after_an_unanswered_attempt_is_unknown_since_it_may_be_our_own(faults: Faults) -> None:
    faults.store.write(SCOPE, [put("a")])
    faults.script = [answer("InternalServerError", 500)]
    with pytest.raises(OutcomeUnknown):
        faults.store.write(SCOPE, [put("a", {"n": 2}, *ABSENT)])
    assert 3 == len(faults.sent)


def test_a_read_whose_answer_is_lost_is_read_again(faults: Faults) -> None:
    faults.store.write(SCOPE, [put("a", {"n": 1})])
    faults.script = ["lose", closed()]
    assert {"n": 1} == attrs(faults.store, SCOPE, key("a"))


def test_a_transaction_with_an_addition_is_not_repeated_after_doubt(faults: Faults) -> None:
    faults.script = [answer("InternalServerError", 500)]
    with pytest.raises(OutcomeUnknown):
        faults.store.write(SCOPE, [put("a"), Update(key("b"), add={"n": 1})])
    assert 1 == len(faults.sent)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException"])
def test_a_wrong_set_up_fails_at_once_and_says_what_to_check(faults: Faults, code: str) -> None:
    faults.script = [answer(code)]
    with pytest.raises(StoreUnavailable) as caught:
        faults.store.get(SCOPE, key("a"))
    assert (code, 1) == (caught.value.facts["code"], len(faults.sent))
    assert "permissions" in caught.value.hint


def test_what_dynamodb_calls_invalid_is_the_callers_error(faults: Faults) -> None:
    faults.script = [answer("ValidationException")]
    with pytest.raises(InvalidRequest):
        faults.store.get(SCOPE, key("a"))


def test_batches_are_cut_to_what_the_service_takes_and_the_unprocessed_rest_is_sent_again(faults: Faults) -> None:
    faults.store.batch_put(SCOPE, [item(f"{number:03}", {"n": number}) for number in range(60)])
    assert 3 == len(faults.sent)
    faults.sent.clear()
    assert 60 == sum(one is not None for one in faults.store.batch_get(SCOPE, [key(f"{n:03}") for n in range(150)]))
    assert 2 == len(faults.sent)
    name = "millrace-history"
    left = {name: {"Keys": [{"_pk": {"S": "t#thing"}, "_sk": {"S": "007"}}], "ConsistentRead": True}}
    faults.script = [partial_answer({"Responses": {name: []}, "UnprocessedKeys": left})]
    assert 7 == faults.store.batch_get(SCOPE, [key("007")])[0].attrs["n"]
    faults.script = [partial_answer({"Responses": {name: []}, "UnprocessedKeys": left}) for _ in range(ATTEMPTS)]
    with pytest.raises(StoreUnavailable):
        faults.store.batch_get(SCOPE, [key("007")])


def partial_answer(body: dict) -> Answer:
    return Answer(200, body)


def test_consumed_capacity_is_counted_by_kind(faults: Faults) -> None:
    consumed = faults.store.consumed
    read, written, calls = consumed.read_units, consumed.write_units, consumed.calls
    faults.store.write(SCOPE, [put("a", {"n": 1})])
    assert (read, calls + 1) == (consumed.read_units, consumed.calls)
    assert written < consumed.write_units
    written = consumed.write_units
    faults.store.get(SCOPE, key("a"))
    assert read < consumed.read_units
    assert (written, calls + 2) == (consumed.write_units, consumed.calls)


def test_a_closed_store_takes_no_more_submissions(faults: Faults) -> None:
    store = DynamoDocuments(TABLES, region=REGION, random=SeededRandom())
    assert store.submit(SCOPE, [Put(item("a"))]).result(30) is None
    store.close()
    assert isinstance(store.submit(SCOPE, [put("b")]).exception(30), StoreUnavailable)


def test_the_region_is_an_argument(faults: Faults) -> None:
    assert REGION == faults.store.caller.connection().client.meta.region_name
