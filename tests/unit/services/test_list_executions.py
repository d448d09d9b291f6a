"""Lists of executions: by each index, newest first, over months and shards, without loss or repetition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import InvalidRequest
from millrace.base.ids import make_id
from millrace.engine.events import ExecutionStarted, Source
from millrace.engine.values import inline_value
from millrace.ports.documents import Delete, TenantScope
from millrace.services.caller import Caller
from millrace.services.list_executions import list_executions
from millrace.services.platform import Platform
from millrace.store.executions import finish_summary, label_puts, new_summary, summary_key
from tests.functions.world import START, caller, platform

DAY = 24 * 3600 * 1000
SCOPE = TenantScope("acme")


def put(documents: MemoryDocuments, number: int, at: int, **fields: Any) -> str:
    execution = make_id(at, "local", number)
    started = ExecutionStarted(
        at=at,
        tenant="acme",
        namespace=fields.pop("namespace", "default"),
        execution=execution,
        workflow=fields.pop("workflow", "flow"),
        revision=1,
        version=fields.pop("version", "1.0.0"),
        content_hash="c",
        behaviour_hash="b",
        input=inline_value({}),
        **fields,
    )
    documents.write(SCOPE, [new_summary(started), *label_puts(started)])
    if number % 3 == 0:
        documents.write(SCOPE, [finish_summary(started, status="failed", at=at + 5, position=4, facts={})])
    return execution


@pytest.fixture(scope="module")
def many() -> tuple[Platform, list[str]]:
    """300 executions over fourteen months, several at the same millisecond; newest first."""
    made = platform()
    assert isinstance(made.documents, MemoryDocuments)
    ids = []
    for number in range(300):
        at = START - (number // 3) * 4 * DAY - 1
        fields: dict[str, Any] = {
            "workflow": ("flow", "other")[number % 2],
            "version": ("1.0.0", "2.0.0")[number % 5 == 0],
        }
        if number % 4 == 0:
            fields |= {"labels": {"team": "pay"}, "subject_key": "s1", "trigger": {"kind": "cron", "id": "nightly"}}
            fields |= {"replay_of": Source("root", 1)}
        ids.append((at, put(made.documents, number, at, **fields), number))
    return made, [execution for _, execution, _ in sorted(ids, reverse=True)]


def pages(made: Platform, limit: int, **filters: str) -> list[str]:
    found: list[str] = []
    cursor = None
    for _ in range(1000):
        page = list_executions(made, caller(), filters=filters, limit=limit, cursor=cursor)
        assert len(page["items"]) <= limit
        found.extend(item["id"] for item in page["items"])
        cursor = page["cursor"]
        if cursor is None:
            return found
    raise AssertionError("the list does not end")


def numbers(ids: list[str], which: Any) -> list[str]:
    return [execution for execution in ids if which(_number(execution))]


def _number(execution: str) -> int:
    value = 0
    for char in execution[12:]:
        value = value << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(char)
    return value


@pytest.mark.parametrize("limit", [1, 2, 7, 50, 100, 299, 300, 301])
def test_pages_of_any_size_hold_everything_once_newest_first(many: tuple[Platform, list[str]], limit: int) -> None:
    made, ids = many
    assert ids == pages(made, limit)


class Counted:
    """Notes which partitions of indexes are read."""

    def __init__(self, inner: MemoryDocuments) -> None:
        self._inner = inner
        self.read: list[tuple[str, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def query_index(self, scope: Any, table: Any, index: Any, partition: tuple[str, ...], **more: Any) -> Any:
        self.read.append(partition)
        return self._inner.query_index(scope, table, index, partition, **more)


@pytest.mark.parametrize(
    ("limit", "filters", "months"),
    [(5, {}, 1), (30, {}, 2), (300, {}, 24), (300, {"since": "2023-10-15T00:00:00Z"}, 2)],
    ids=["one month is enough", "two are", "not even all are", "no more are asked for"],
)
def test_a_list_of_all_reads_back_no_further_than_its_page_needs(
    many: tuple[Platform, list[str]], limit: int, filters: dict[str, str], months: int
) -> None:
    made, _ = many
    assert isinstance(made.documents, MemoryDocuments)
    counted: Any = Counted(made.documents)
    list_executions(replace(made, documents=counted), caller(), filters=filters, limit=limit, cursor=None)
    assert (months, 4 * months) == (len({month for _, month, _ in counted.read}), len(counted.read))


@pytest.mark.parametrize("limit", [1, 9, 100])
@pytest.mark.parametrize(
    ("filters", "which"),
    [
        ({"workflow": "flow"}, lambda n: n % 2 == 0),
        ({"status": "failed"}, lambda n: n % 3 == 0),
        ({"status": "running"}, lambda n: n % 3),
        ({"workflow": "other", "version": "2.0.0", "status": "failed"}, lambda n: n % 2 and n % 15 == 0),
        ({"label": "team:pay"}, lambda n: n % 4 == 0),
        ({"subject": "s1"}, lambda n: n % 4 == 0),
        ({"trigger": "nightly"}, lambda n: n % 4 == 0),
        ({"replayOf": "root"}, lambda n: n % 4 == 0),
        ({"workflow": "none"}, lambda _: False),
        ({"label": "team:none"}, lambda _: False),
    ],
)
def test_every_filter_pages_over_what_it_names(
    many: tuple[Platform, list[str]], filters: dict[str, str], which: Any, limit: int
) -> None:
    made, ids = many
    assert numbers(ids, which) == pages(made, limit, **filters)


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


@pytest.mark.parametrize("name", ["", "workflow", "label"])
def test_since_and_until_are_inclusive_and_go_with_every_filter(many: tuple[Platform, list[str]], name: str) -> None:
    made, ids = many
    named = {"": {}, "workflow": {"workflow": "flow"}, "label": {"label": "team:pay"}}[name]
    which = {"": lambda _: True, "workflow": lambda n: n % 2 == 0, "label": lambda n: n % 4 == 0}[name]
    since, until = START - 200 * DAY - 1, START - 40 * DAY - 1
    wanted = numbers(ids, lambda n: which(n) and 10 <= n // 3 <= 50)
    assert wanted == pages(made, 7, since=_text(since), until=_text(until), **named)
    assert [] == pages(made, 7, since=_text(START + 1), **named)


@pytest.mark.parametrize(
    "filters",
    [
        {"workflow": "flow", "label": "a:b"},
        {"workflow": "flow", "version": "1.0.0"},
        {"version": "1.0.0"},
        {"subject": "s", "trigger": "t"},
        {"label": "nocolon"},
        {"colour": "red"},
        {"since": "yesterday"},
        {"until": "2026-01-01T00:00:00"},
    ],
)
def test_what_no_index_serves_is_refused(many: tuple[Platform, list[str]], filters: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        list_executions(many[0], caller(), filters=filters, limit=5, cursor=None)


@pytest.mark.parametrize("cursor", ["", "x", "0" * 42, "1" * 15 + "#" + "A" * 26, "é" * 42])
def test_a_cursor_that_no_list_gave_out_is_refused(many: tuple[Platform, list[str]], cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        list_executions(many[0], caller(), filters={}, limit=5, cursor=cursor)


@pytest.mark.parametrize("who", [caller(tenant="evil"), caller(namespace="other")], ids=["tenant", "namespace"])
@pytest.mark.parametrize(
    "text", ["", "status=failed", "label=team:pay", "subject=s1", "trigger=nightly", "workflow=flow"]
)
def test_another_tenant_and_another_namespace_see_none_of_it(
    many: tuple[Platform, list[str]], who: Caller, text: str
) -> None:
    made, _ = many
    filters = dict([text.split("=")]) if text else {}
    assert list_executions(made, caller(), filters=filters, limit=5, cursor=None)["items"]
    page = list_executions(made, who, filters=filters, limit=5, cursor=None)
    assert ([], None) == (page["items"], page["cursor"])


def test_an_entry_tells_times_as_text_and_nothing_internal(many: tuple[Platform, list[str]]) -> None:
    made, ids = many
    page = list_executions(made, caller(), filters={"status": "failed"}, limit=1, cursor=None)
    (item,) = page["items"]
    assert ("failed", "2023-11-14T22:13:19.999Z", "2023-11-14T22:13:20.004Z", 5, False) == (
        item["status"],
        item["startedAt"],
        item["finishedAt"],
        item["durationMs"],
        "position" in item,
    )
    assert item["id"] in ids


def test_labels_of_executions_that_are_gone_cost_no_page() -> None:
    made = platform()
    assert isinstance(made.documents, MemoryDocuments)
    ids = [put(made.documents, n, START - n - 1, labels={"k": "v"}) for n in range(30)]
    for execution in ids[:20]:
        made.documents.write(SCOPE, [Delete(summary_key(execution))])
    assert ids[20:] == pages(made, 3, label="k:v")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 500 * DAY), min_size=1, max_size=40), st.integers(1, 9))
def test_random_starts_are_listed_once_in_order(ages: list[int], limit: int) -> None:
    made = platform()
    assert isinstance(made.documents, MemoryDocuments)
    ids = [(START - age, put(made.documents, number, START - age)) for number, age in enumerate(ages)]
    assert [execution for _, execution in sorted(ids, reverse=True)] == pages(made, limit)
