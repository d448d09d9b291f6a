"""Publishing and activating while the store fails or another writer is faster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.base.errors import (
    ConditionRefused,
    Conflict,
    OutcomeUnknown,
    PreconditionFailed,
    StoreUnavailable,
    VersionLabelTaken,
)
from millrace.services.activate_definition import activate_definition
from millrace.services.get_definition import get_definition
from millrace.services.list_versions import list_versions
from millrace.services.publish_definition import Publication, Published
from millrace.services.publish_workflow import publish_workflow
from tests.functions.documents import workflow
from tests.functions.faulty import FaultyDocuments, after, lost, refused
from tests.functions.world import caller, platform


def world() -> tuple[Any, FaultyDocuments]:
    documents = FaultyDocuments()
    return platform(documents=documents), documents


def send(made: Any, description: str, **more: Any) -> Published:
    source = json.dumps(workflow(description=description, **more.pop("spec", {}))).encode()
    return publish_workflow(made, caller(), Publication(source=source, media="json", **more))


def revisions(made: Any) -> list[int]:
    return [v["revision"] for v in list_versions(made, caller(), "workflow", "hello", limit=100, cursor=None)["items"]]


@pytest.mark.parametrize("error", [ConditionRefused("x"), OutcomeUnknown("x")])
def test_a_lost_acknowledgement_of_our_own_publish_is_a_success(error: Exception) -> None:
    made, documents = world()
    documents.faults = [lost(error)]
    assert (True, 1) == (send(made, "a").created, revisions(made)[0])
    assert [1] == revisions(made)


def test_a_write_that_certainly_did_not_happen_is_reported_and_leaves_nothing() -> None:
    made, documents = world()
    documents.faults = [refused(StoreUnavailable("down"))]
    with pytest.raises(StoreUnavailable):
        send(made, "a")
    assert send(made, "a").created


def test_an_unknown_outcome_that_did_not_happen_is_reported_as_unknown() -> None:
    made, documents = world()
    documents.faults = [refused(OutcomeUnknown("?"))]
    with pytest.raises(OutcomeUnknown):
        send(made, "a")
    assert (True, [1]) == (send(made, "a").created, revisions(made))


def test_a_kill_in_the_middle_leaves_nothing_and_the_same_key_runs_again() -> None:
    made, documents = world()
    documents.faults = [refused(KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        send(made, "a", idempotency_key="k")
    assert send(made, "a", idempotency_key="k").created
    assert [1] == revisions(made)


def test_a_faster_publisher_of_other_content_takes_the_revision_and_we_take_the_next() -> None:
    made, documents = world()
    documents.faults = [after(lambda: send(made, "b"))]
    assert 2 == send(made, "a").body["revision"]
    assert [2, 1] == revisions(made)


def test_a_faster_publisher_of_the_same_content_makes_ours_unchanged() -> None:
    made, documents = world()
    documents.faults = [after(lambda: send(made, "a", spec={"version": "3.0.0"}))]
    ours = send(made, "a", spec={"version": "3.0.0"})
    assert (False, 1) == (ours.created, ours.body["revision"])


def test_the_same_content_published_between_two_of_our_reads_is_no_conflict_of_labels() -> None:
    made, documents = world()
    documents.before_get = {"label#3.0.0": lambda: send(made, "a", spec={"version": "3.0.0"})}
    ours = send(made, "a", spec={"version": "3.0.0"})
    assert (False, 1) == (ours.created, ours.body["revision"])


def test_an_activation_in_between_makes_our_if_match_stale() -> None:
    made, documents = world()
    send(made, "a")
    send(made, "b")
    documents.faults = [after(lambda: activate_definition(made, caller(), "workflow", "hello", version="r1"))]
    with pytest.raises(PreconditionFailed):
        send(made, "c", if_match='"2"')
    assert [2, 1] == revisions(made)


def test_a_faster_publisher_with_our_label_and_other_content_wins_the_label() -> None:
    made, documents = world()
    documents.faults = [after(lambda: send(made, "b", spec={"version": "3.0.0"}))]
    with pytest.raises(VersionLabelTaken):
        send(made, "a", spec={"version": "3.0.0"})


def test_a_faster_publisher_makes_our_if_match_stale() -> None:
    made, documents = world()
    send(made, "a")
    documents.faults = [after(lambda: send(made, "b"))]
    with pytest.raises(PreconditionFailed):
        send(made, "c", if_match='"1"')
    assert [2, 1] == revisions(made)


def test_a_request_with_our_key_that_was_faster_gives_us_its_answer() -> None:
    made, documents = world()
    documents.faults = [after(lambda: send(made, "a", idempotency_key="k"))]
    assert send(made, "a", idempotency_key="k").created
    assert [1] == revisions(made)


def test_a_publisher_that_always_loses_says_so_in_the_end() -> None:
    made, documents = world()
    documents.faults = [refused(ConditionRefused("x"))] * 100
    with pytest.raises(Conflict, match="too many"):
        send(made, "a")


def test_an_activation_whose_acknowledgement_was_lost_is_done() -> None:
    made, documents = world()
    send(made, "a")
    send(made, "b")
    documents.faults = [lost(ConditionRefused("x"))]
    body, etag = activate_definition(made, caller(), "workflow", "hello", version="r1", if_match='"2"')
    assert (1, "3") == (body["activeRevision"], etag)


def test_an_activation_after_a_faster_one_is_made_on_the_new_state() -> None:
    made, documents = world()
    for text in "abc":
        send(made, text)
    documents.faults = [after(lambda: activate_definition(made, caller(), "workflow", "hello", version="r1"))]
    body, _ = activate_definition(made, caller(), "workflow", "hello", version="r2")
    assert 2 == body["activeRevision"] == get_definition(made, caller(), "workflow", "hello")[0]["activeRevision"]


def test_an_activation_that_always_loses_says_so_in_the_end() -> None:
    made, documents = world()
    send(made, "a")
    send(made, "b")
    documents.faults = [refused(ConditionRefused("x"))] * 100
    with pytest.raises(Conflict, match="too many"):
        activate_definition(made, caller(), "workflow", "hello", version="r1")
