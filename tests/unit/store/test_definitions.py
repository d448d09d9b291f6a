from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import BlobMissing, ConditionRefused, InvalidRequest, TooLarge
from millrace.base.limits import ITEM_BYTES
from millrace.ports.documents import Delete, TenantScope, Update
from millrace.store.definitions import Definitions, Side, document_sort, head_key, item_key, source_sort
from millrace.store.publishing import Draft, Stamp, activate, delete, next_version, publish

SCOPE = TenantScope("acme")
STAMP = Stamp("ann", 1_700_000_000_123, "w-1")
SIDE = Side("does it", "payments", ("a", "b"), ("commerce",), {"team": "red"})


DRAFT = Draft(
    kind="workflow",
    name="flow",
    document={"a": [1]},
    source="# caf\u00e9\na: [1]".encode(),
    media="yaml",
    content_hash="h1",
    behaviour_hash="b",
    side=SIDE,
    uses=(),
    message="why",
)


def draft(content: str = "h1", **more: Any) -> Draft:
    return msgspec.structs.replace(DRAFT, content_hash=content, **more)


@pytest.fixture()
def made() -> Definitions:
    return Definitions(MemoryDocuments(), SCOPE, "team")


def put(made: Definitions, what: Draft, label: str, *, active: bool = True) -> None:
    head = made.head("workflow", "flow")
    publish(made, what, next_version(made, what, head, label=label, stamp=STAMP), head, activate=active)


def test_a_version_is_read_back_as_it_was_written(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    version = made.version("workflow", "flow", 1)
    assert version is not None
    assert next_version(made, draft(), None, label="1.0.0", stamp=STAMP) == version
    assert ("# caf\u00e9\na: [1]", {"a": [1]}) == (made.source(version), made.document(version))
    assert ("ann", 1_700_000_000_123, 0, "why") == (
        version.created_by,
        version.created_at,
        version.parent,
        version.message,
    )


def test_the_head_carries_what_describes_the_definition(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    head = made.head("workflow", "flow")
    assert head is not None
    assert (SIDE, 1, 1, "1.0.0", 1) == (head.side, head.latest, head.active, head.active_label, head.etag)


def test_a_name_is_deleted_until_it_is_published_again(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    head = made.head("workflow", "flow")
    assert head is not None
    delete(made, head, by="bob", now=7)
    gone = made.head("workflow", "flow")
    assert gone is not None
    assert (True, 0, "", 2, "bob", 7) == (
        gone.deleted,
        gone.active,
        gone.active_label,
        gone.etag,
        gone.updated_by,
        gone.updated_at,
    )
    put(made, draft("h2"), "1.0.1", active=False)
    again = made.head("workflow", "flow")
    assert again is not None
    assert (False, 2, 0) == (again.deleted, again.latest, again.active)


def test_a_name_of_which_only_the_route_is_stored_is_not_deleted_and_describes_nothing(made: Definitions) -> None:
    route: dict[str, Any] = {"latest": 2, "latestLabel": "1.0.1", "active": 1, "etag": 3}
    who: dict[str, Any] = {"kind": "workflow", "namespace": "team", "updatedBy": "ann", "updatedAt": 5}
    made.documents.write(SCOPE, [Update(head_key("workflow", "team", "flow"), set=route | who)])
    head = made.head("workflow", "flow")
    assert head is not None
    assert (False, "", Side("", "", (), (), {})) == (head.deleted, head.active_label, head.side)
    assert (2, 1, 3, 5) == (head.latest, head.active, head.etag, head.updated_at)


def test_what_was_not_activated_leaves_the_route_where_it_was(made: Definitions) -> None:
    put(made, draft(), "1.0.0", active=False)
    head = made.head("workflow", "flow")
    assert head is not None
    assert (1, 0, "") == (head.latest, head.active, head.active_label)
    put(made, draft("h2"), "1.0.1")
    put(made, draft("h3"), "1.0.2", active=False)
    head = made.head("workflow", "flow")
    assert head is not None
    assert (3, 2, "1.0.1", 3) == (head.latest, head.active, head.active_label, head.etag)


def test_a_writer_with_an_older_head_is_refused_and_writes_nothing(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    old = made.head("workflow", "flow")
    put(made, draft("h2"), "1.0.1")
    late = draft("h3")
    with pytest.raises(ConditionRefused):
        publish(made, late, next_version(made, late, old, label="9.0.0", stamp=STAMP), old, activate=True)
    version = made.version("workflow", "flow", 1)
    assert version is not None
    assert old is not None
    with pytest.raises(ConditionRefused):
        activate(made, old, version, by="bob", now=2)
    assert (None, None) == (made.revision_of_label("workflow", "flow", "9.0.0"), made.version("workflow", "flow", 3))


def test_a_label_or_content_that_is_taken_refuses_the_whole_write(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    for what, label in ((draft("h2"), "1.0.0"), (draft("h1"), "1.0.1")):
        with pytest.raises(ConditionRefused):
            put(made, what, label)
    assert made.version("workflow", "flow", 2) is None


def test_a_document_too_large_for_an_item_is_refused(made: Definitions) -> None:
    with pytest.raises(TooLarge):
        put(made, draft(document={"a": "x" * 400_000}), "1.0.0")
    with pytest.raises(TooLarge):
        put(made, draft(source=b"x" * 400_000), "1.0.0")


@pytest.mark.parametrize("what", ["source", "document"])
def test_a_document_fits_its_item_to_the_last_byte(made: Definitions, what: str) -> None:
    room = ITEM_BYTES - 4096
    full: dict[str, Any] = {"source": b"x" * room} if what == "source" else {"document": {"a": "x" * (room - 8)}}
    put(made, draft(**full), "1.0.0")
    version = made.version("workflow", "flow", 1)
    assert version is not None
    more: dict[str, Any] = {"source": b"x" * (room + 1)} if what == "source" else {"document": {"a": "x" * (room - 7)}}
    with pytest.raises(TooLarge, match=str(room)):
        put(made, draft("h2", **more), "1.0.1")


def test_labels_of_all_pages_are_found(made: Definitions) -> None:
    for number in range(120):
        put(made, draft(f"h{number}"), f"1.0.{number}")
    assert {f"1.0.{n}": n + 1 for n in range(120)} == made.labels("workflow", "flow")


def test_a_version_whose_text_is_gone_is_reported_as_damage(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    version = made.version("workflow", "flow", 1)
    assert version is not None
    for sort in (source_sort(1), document_sort(1)):
        made.documents.write(SCOPE, [Delete(item_key("workflow", "team", "flow", sort))])
    with pytest.raises(BlobMissing):
        made.source(version)
    with pytest.raises(BlobMissing):
        made.document(version)


def test_names_that_look_like_keys_stay_apart(made: Definitions) -> None:
    put(made, draft(), "1.0.0")
    other = Definitions(made.documents, SCOPE, "team#x")
    assert (None, None) == (other.head("workflow", "flow"), made.head("task", "flow"))
    assert made.revision_of_label("workflow", "flow#label", "1.0.0") is None


@pytest.mark.parametrize("depth", [128, 129])
def test_a_document_is_read_back_as_deep_as_it_may_be_and_no_deeper(made: Definitions, depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    put(made, draft(document=value), "1.0.0")
    version = made.version("workflow", "flow", 1)
    assert version is not None
    if depth == 128:
        assert value == made.document(version)
    else:
        with pytest.raises(InvalidRequest, match="128"):
            made.document(version)
