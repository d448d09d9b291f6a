"""The use case: what is published, found again, kept, and gone on with."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from millrace.adapters.memory import MemoryDocuments
from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest, StoreUnavailable, TooLarge
from millrace.base.limits import OPENAPI_BYTES
from millrace.ports.documents import Op, TenantScope
from millrace.services.delete_definition import delete_definition
from millrace.services.get_definition import get_definition
from millrace.services.import_openapi import Options, Order, import_openapi, packed, unpacked
from millrace.services.openapi import Conversion, read_openapi
from millrace.services.openapi import Options as Wanted
from millrace.services.openapi import report as reports
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_task import publish_task
from millrace.services.publish_workflow import publish_workflow
from tests.functions.documents import task as other_task
from tests.functions.documents import workflow
from tests.functions.world import caller, platform
from tests.unit.openapi.builders import document, errors, operation

WHO = caller()
NAME = {"name": "name", "in": "query", "schema": {"type": "string"}}


def shop(**more: Any) -> dict[str, Any]:
    return document(
        {
            "/pets": {"get": operation(operationId="listPets", parameters=[NAME])},
            "/pets/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": operation(operationId="getPet"),
                "delete": operation(operationId="deletePet"),
            },
            **more,
        }
    )


def imported(world: Platform, value: Any, **more: Any) -> dict[str, Any]:
    return import_openapi(world, WHO, json.dumps(value).encode(), Order(**more))


def counts(report: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in report["counts"].items() if count}


def statuses(report: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {item["name"]: (item["status"], item["written"]) for item in report["items"]}


def revision(world: Platform, name: str) -> int:
    found: int = get_definition(world, WHO, "task", name)[0]["revision"]
    return found


def test_a_task_that_was_deleted_is_added_again() -> None:
    world = platform()
    imported(world, shop())
    delete_definition(world, WHO, "task", "get-pet")
    assert ("added", True) == statuses(imported(world, shop()))["get-pet"]
    assert 1 == revision(world, "get-pet")


def test_every_operation_becomes_a_task_and_again_nothing_changes() -> None:
    world = platform()
    first = imported(world, shop())
    assert ({"added": 3}, 3) == (counts(first), first["published"])
    again = imported(world, shop() | {"info": {"title": "Pet Shop", "version": "2"}})
    assert ({"unchanged": 3}, 0, []) == (counts(again), again["published"], again["items"])
    assert 1 == revision(world, "get-pet")


def test_a_dry_run_says_the_same_and_writes_nothing() -> None:
    world = platform()
    report = imported(world, shop(), dry_run=True)
    assert ({"added": 3}, 0, True) == (counts(report), report["published"], report["dryRun"])
    assert {"added": 3} == counts(imported(world, shop()))


def test_a_changed_operation_is_published_again_with_its_changes_and_its_users() -> None:
    world = platform()
    imported(world, shop())
    calls = workflow("uses", tasks=[{"id": "a", "taskRef": "list-pets", "input": {}}])
    publish_workflow(world, WHO, Publication(dumps(calls), "json"))
    value = shop()
    value["paths"]["/pets"]["get"]["parameters"] = [{**NAME, "required": True}]
    report = imported(world, value)
    assert ({"changed": 1, "unchanged": 2}, 1) == (counts(report), report["breaking"])
    (item,) = report["items"]
    assert ["input-now-required", "request-changed"] == [change["rule"] for change in item["changes"]]
    assert (True, ["workflow uses"]) == (item["breaking"], item["usedBy"])
    assert 2 == revision(world, "list-pets")


def test_a_removed_operation_is_reported_and_its_task_stays() -> None:
    world = platform()
    imported(world, shop())
    value = shop()
    del value["paths"]["/pets/{id}"]["delete"]
    report = imported(world, value)
    assert {"delete-pet": ("removed", False)} == statuses(report)
    assert ("operation-removed", True) == (report["items"][0]["changes"][0]["rule"], report["items"][0]["breaking"])
    assert 1 == revision(world, "delete-pet")


def test_an_operation_with_another_id_is_reported_as_renamed() -> None:
    world = platform()
    imported(world, shop())
    value = shop()
    value["paths"]["/pets"]["get"]["operationId"] = "findPets"
    report = imported(world, value)
    assert {"list-pets": ("removed", False), "find-pets": ("added", True)} == statuses(report)
    assert ["operation-renamed"] == [change["rule"] for change in report["items"][0]["changes"]]
    assert "find-pets" in report["items"][0]["message"]


def test_an_operation_that_can_no_longer_be_a_task_is_reported_as_refused() -> None:
    world = platform()
    imported(world, shop())
    value = shop()
    value["paths"]["/pets"]["get"]["requestBody"] = {"required": True, "content": {"multipart/form-data": {}}}
    report = imported(world, value)
    assert ["operation-refused"] == [change["rule"] for change in report["items"][0]["changes"]]
    assert [True] == [note["refused"] for note in report["notes"]]


def test_a_task_that_was_edited_here_is_replaced_only_on_request() -> None:
    world = platform()
    imported(world, shop())
    edited = copy.deepcopy(get_definition(world, WHO, "task", "list-pets")[0]["document"])
    edited["spec"]["request"]["url"] = "https://mine.example/pets"
    publish_task(world, WHO, Publication(dumps(edited), "json"))
    assert {"unchanged": 3} == counts(imported(world, shop()))
    value = shop()
    value["paths"]["/pets"]["get"]["summary"] = "List them"
    assert {"list-pets": ("edited", False)} == statuses(imported(world, value))
    assert {"list-pets": ("changed", True)} == statuses(imported(world, value, overwrite=True))
    assert 3 == revision(world, "list-pets")


def test_a_name_that_another_source_has_is_left_alone() -> None:
    world = platform()
    publish_task(world, WHO, Publication(dumps(other_task("list-pets")), "json"))
    report = imported(world, shop())
    assert ("conflict", False) == statuses(report)["list-pets"]
    assert "prefix" in next(item["message"] for item in report["items"] if item["name"] == "list-pets")
    other = imported(world, shop(), options=Options(source="second", prefix="second"))
    assert {"added": 3} == counts(other)
    assert {"second-list-pets", "second-get-pet", "second-delete-pet"} == set(statuses(other))


def test_an_import_is_gone_on_with_where_its_limit_ended() -> None:
    world = platform()
    seen: list[tuple[int, int]] = []
    data = json.dumps(shop()).encode()
    first = import_openapi(world, WHO, data, Order(limit=2), progress=lambda *now: seen.append(now))
    assert (2, 1, [(1, 3), (2, 3), (3, 3)]) == (first["published"], first["remaining"], seen)
    second = imported(world, shop(), limit=2)
    assert (1, 0, {"added": 1, "unchanged": 2}) == (second["published"], second["remaining"], counts(second))


def test_an_import_that_broke_off_leaves_whole_tasks_behind_and_goes_on() -> None:
    world = platform()

    def break_off(count: int, _total: int) -> None:
        if count == 2:
            raise StoreUnavailable("the store is away")

    with pytest.raises(StoreUnavailable):
        import_openapi(world, WHO, json.dumps(shop()).encode(), Order(), progress=break_off)
    assert {"added": 1, "unchanged": 2} == counts(imported(world, shop()))


def test_a_word_of_the_api_is_no_name_of_a_task_and_a_long_source_is_cut() -> None:
    value = document({"/a": {"get": operation(operationId="import")}, "/b": {"get": operation(operationId="fine")}})
    report = imported(platform(), value, options=Options(source="x" * 80))
    assert ({"added": 2}, "x" * 63) == (counts(report), report["source"])
    assert "import" not in statuses(report)


def test_a_task_that_cannot_be_published_is_an_entry_and_the_others_go_on() -> None:
    world = msgspec.structs.replace(platform(), documents=Refusing("get-pet"))
    report = imported(world, shop())
    assert ({"added": 2, "failed": 1}, 2) == (counts(report), report["published"])
    assert "no room" in next(item["message"] for item in report["items"] if item["status"] == "failed")


class Refusing(MemoryDocuments):
    """A store that has no room for what belongs to one name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._refused = name

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        if any(self._refused in str(op) for op in ops):
            raise TooLarge("there is no room")
        super().write(scope, ops)


def test_an_answer_is_bounded_whatever_changed() -> None:
    paths = {f"/p{n}": {"get": operation(operationId=f"op{n}")} for n in range(reports.ITEMS + 5)}
    report = imported(platform(), document(paths), dry_run=True)
    assert (reports.ITEMS, 5) == (len(report["items"]), report["itemsOmitted"])


def test_a_packed_document_is_the_document() -> None:
    data = json.dumps(shop()).encode()
    assert data == unpacked(packed(data)) == unpacked(data)
    other = b'{"packed": 1, "openapi": "3.0.0"}'
    assert other == unpacked(other)


SHORT = base64.b64encode(gzip.compress(b"x" * 1000, mtime=0)[:-9]).decode()


@pytest.mark.parametrize("text", ["!", "AAAA", SHORT])
def test_what_is_not_packed_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="packed"):
        unpacked(json.dumps({"packed": text}).encode())


def test_a_packed_document_that_grows_without_end_is_refused() -> None:
    with pytest.raises(TooLarge):
        unpacked(packed(b" " * (OPENAPI_BYTES + 1)))


def large(operations: int, shared: int) -> dict[str, Any]:
    """Three operations a path, over models that refer to each other."""
    models = {
        f"Model{n}": {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "name": {"type": "string", "nullable": True},
                "next": {"$ref": f"#/components/schemas/Model{(n * 7 + 1) % shared}"},
                "kinds": {"type": "array", "items": {"$ref": f"#/components/schemas/Model{(n * 13 + 5) % shared}"}},
            },
        }
        for n in range(shared)
    }
    paths = {}
    for n in range(operations // 3):
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/Model{n % shared}"}}}
        answers = {"200": {"description": "ok", "content": content}}
        paths[f"/things{n}/{{id}}"] = {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": f"getThing{n}", "responses": answers},
            "put": {"operationId": f"putThing{n}", "requestBody": {"content": content}, "responses": answers},
            "delete": {"operationId": f"deleteThing{n}", "responses": {"204": {"description": "gone"}}},
        }
    return document(paths, components={"schemas": models})


@pytest.mark.repeats
def test_three_thousand_operations_over_shared_models_become_small_valid_tasks() -> None:
    conversion = Conversion(read_openapi(json.dumps(large(3000, 300)).encode()), Wanted())
    count = 0
    for made in conversion.tasks():
        assert len(dumps(made.document)) <= 64 * 1024
        if count % 100 == 0:
            assert [] == errors(made)
        count += 1
    assert 3000 == count
