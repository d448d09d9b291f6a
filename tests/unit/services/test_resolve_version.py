from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.base.canonical import dumps
from millrace.base.errors import Conflict, Corrupt, NotFound
from millrace.ports.documents import Delete, Item, Put
from millrace.services.find_version import definitions_of
from millrace.services.parsed_documents import _KEPT, _Models, task_of, workflow_of
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_task import publish_task
from millrace.services.publish_workflow import publish_workflow
from millrace.services.resolve_version import resolve_version
from millrace.store.definitions import document_sort, head_key, item_key
from tests.functions.documents import task, workflow
from tests.functions.world import caller, platform


def text(document: Any) -> Publication:
    return Publication(source=json.dumps(document).encode(), media="json")


def user(*references: str, **spec: Any) -> dict[str, Any]:
    tasks = [{"id": f"t{n}", "taskRef": ref, "input": {"items": [1]}} for n, ref in enumerate(references)]
    return workflow("user", tasks=tasks, **spec)


@pytest.fixture()
def made() -> Platform:
    """Three versions of a task: 1.0.0, 1.0.1 and the active 2.0.0."""
    found = platform()
    publish_task(found, caller(), text(task(limit=1)))
    publish_task(found, caller(), text(task(limit=2)))
    publish_task(found, caller(), text(task(limit=3, version="2.0.0")))
    return found


def test_every_kind_of_reference_is_locked_to_a_version(made: Platform) -> None:
    references = ["shorten", "shorten@^1", "shorten@1.0.0", "shorten@r2", "shorten@latest", "shorten@~1.0"]
    references += ["shorten@>=1 <2", "shorten@>1.0.0 <=2.0.0"]
    publish_workflow(made, caller(), text(user(*references)))
    resolved = resolve_version(made, caller(), "user")
    locked = {m["ref"]: (m["revision"], m["version"]) for m in resolved.manifest if m["kind"] == "task"}
    assert {
        "shorten": (3, "2.0.0"),
        "shorten@^1": (2, "1.0.1"),
        "shorten@1.0.0": (1, "1.0.0"),
        "shorten@r2": (2, "1.0.1"),
        "shorten@latest": (3, "2.0.0"),
        "shorten@~1.0": (2, "1.0.1"),
        "shorten@>=1 <2": (2, "1.0.1"),
        "shorten@>1.0.0 <=2.0.0": (3, "2.0.0"),
    } == locked
    assert set(references) == set(resolved.tasks)
    assert 64 == len({m["hash"] for m in resolved.manifest}.pop())


def test_a_later_publish_changes_the_next_start_only(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten")))
    before = resolve_version(made, caller(), "user")
    publish_task(made, caller(), text(task(limit=9)))
    after = resolve_version(made, caller(), "user")
    assert [3, 4] == [found.manifest[1]["revision"] for found in (before, after)]
    assert before.content_hash == after.content_hash


@pytest.mark.parametrize(
    ("version", "revision", "reason"),
    [
        (None, 2, "active"),
        ("1.0.0", 1, "requested"),
        ("^1", 2, "requested"),
        (">=1 <1.0.1", 1, "requested"),
        ("r1", 1, "requested"),
    ],
)
def test_a_start_may_name_a_version(made: Platform, version: str | None, revision: int, reason: str) -> None:
    for description in "ab":
        publish_workflow(made, caller(), text(user("shorten", description=description)))
    found = resolve_version(made, caller(), "user", version=version, subject_key="any")
    assert (revision, reason) == (found.revision, found.routing_reason)


@pytest.mark.parametrize("version", ["9.9.9", "^9", ">=2 <9", "9" * 128, "r0", "r99", "r9999999999999", "rx"])
def test_a_version_that_is_not_there_is_not_found(made: Platform, version: str) -> None:
    publish_workflow(made, caller(), text(user("shorten")))
    with pytest.raises(NotFound):
        resolve_version(made, caller(), "user", version=version)


def test_nothing_published_is_not_found_and_nothing_active_is_a_conflict(made: Platform) -> None:
    with pytest.raises(NotFound):
        resolve_version(made, caller(), "user")
    inactive = Publication(source=json.dumps(user("shorten")).encode(), media="json", activate=False)
    publish_workflow(made, caller(), inactive)
    with pytest.raises(Conflict, match="active"):
        resolve_version(made, caller(), "user")


def test_a_task_that_is_gone_is_a_conflict_that_names_it(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten@^1", "shorten")))
    made.documents.write(caller().scope, [Delete(head_key("task", "default", "shorten"))])
    with pytest.raises(Conflict) as caught:
        resolve_version(made, caller(), "user")
    assert ["shorten", "shorten@^1"] == caught.value.facts["missing"]


def test_another_tenant_resolves_nothing(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten")))
    for who in (caller(tenant="evil"), caller(namespace="other")):
        with pytest.raises(NotFound):
            resolve_version(made, who, "user")


def test_a_stored_document_that_is_damaged_is_reported_as_damage(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten", description="damaged one")))
    definitions = definitions_of(made, caller())
    version = definitions.version("workflow", "user", 1)
    assert version is not None
    key = item_key("workflow", "default", "user", document_sort(1))
    made.documents.write(caller().scope, [Put(Item(key, {"body": dumps({"kind": "Workflow"})}))])
    with pytest.raises(Corrupt):
        workflow_of(definitions, version)
    made.documents.write(caller().scope, [Put(Item(key, {"body": dumps(task("x", limit=77))}))])
    with pytest.raises(Corrupt):
        workflow_of(definitions, version)
    made.documents.write(caller().scope, [Put(Item(key, {"body": dumps(user("shorten"))}))])


def test_a_workflow_is_no_task(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten", description="no task")))
    definitions = definitions_of(made, caller())
    version = definitions.version("workflow", "user", 1)
    assert version is not None
    with pytest.raises(Corrupt):
        task_of(definitions, version)


def test_parsed_models_are_bounded_and_the_used_ones_stay(made: Platform) -> None:
    publish_workflow(made, caller(), text(user("shorten")))
    model = resolve_version(made, caller(), "user").workflow
    models = _Models()
    models.keep(("workflow", "first"), model)
    for number in range(_KEPT):
        assert model is models.find(("workflow", "first"))
        models.keep(("workflow", str(number)), model)
    assert models.find(("workflow", "0")) is None
    assert model is models.find(("workflow", "first"))
