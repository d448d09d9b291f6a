"""The functions behind /workflows and /tasks, through their handlers, on a platform in memory."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import YAML, YAML_WORKFLOW, step, task, workflow
from tests.functions.events import Who, body_of, header, status
from tests.sarif import faults

W = "/api/v1/workflows"
T = "/api/v1/tasks"

pytestmark = pytest.mark.usefixtures("world")


def publish(document: Any, url: str = W, **more: Any) -> dict[str, Any]:
    return handle("POST", url, document, **more)


def test_a_yaml_document_is_published_once_and_again_means_the_same_version() -> None:
    first = publish(YAML_WORKFLOW, headers=YAML)
    again = publish(YAML_WORKFLOW, headers=YAML)
    assert (201, 200) == (status(first), status(again))
    assert {"name": "hello", "version": "1.0.0", "revision": 1, "active": True}.items() <= body_of(first).items()
    assert body_of(first)["contentHash"] == body_of(again)["contentHash"]
    assert f"/v1{W}/hello/versions/r1" == header(first, "Location")
    assert '"1"' == header(first, "ETag") == header(again, "ETag")


def test_the_same_document_as_json_and_with_other_comments_is_the_same_version() -> None:
    publish(YAML_WORKFLOW, headers=YAML)
    again = publish(YAML_WORKFLOW.replace("# What this is for", "# Something else"), headers=YAML)
    assert (200, 1) == (status(again), body_of(again)["revision"])


def test_other_content_without_a_label_gets_the_next_patch() -> None:
    publish(workflow(description="a"))
    assert {"version": "1.0.1", "revision": 2, "parentRevision": 1}.items() <= body_of(
        publish(workflow(description="b"))
    ).items()


def test_a_label_names_one_content_for_ever() -> None:
    assert 201 == status(publish(workflow(version="2.0.0", description="a")))
    taken = publish(workflow(version="2.0.0", description="b"))
    assert (409, "version-label-taken") == (status(taken), body_of(taken)["code"])
    assert "spec.version" in body_of(taken)["hint"]


def test_a_broken_document_is_refused_with_findings_that_say_where() -> None:
    result = publish(YAML_WORKFLOW.replace("type: transform", "type: transfrom"), headers=YAML)
    found = [(f["code"], f["line"], f["column"]) for f in body_of(result)["findings"]]
    assert 422 == status(result)
    assert ("unknown-type", 14, 13) in found


@pytest.mark.parametrize("text", ["", "[", "a: 1", "- x", "\x00", "kind: Workflow", "[" * 10_000])
def test_text_that_is_no_document_is_refused_with_findings(text: str) -> None:
    result = publish(text, headers=YAML)
    assert (422, True) == (status(result), bool(body_of(result)["findings"]))


def test_a_task_document_is_no_workflow() -> None:
    result = publish(task())
    assert 422 == status(result)
    assert ["unknown-kind"] == [f["code"] for f in body_of(result)["findings"] if f["severity"] == "error"]


def test_a_reference_to_a_task_that_is_not_there_is_a_finding() -> None:
    document = workflow(tasks=[{"id": "a", "taskRef": "shorten", "input": {"items": [1]}}])
    assert "unknown-task-ref" in [f["code"] for f in body_of(publish(document))["findings"]]
    assert 201 == status(publish(task(), T))
    assert 201 == status(publish(document))


@pytest.mark.parametrize("selector", ["@1.0.0", "@^1", "@latest", "@r1", ""])
def test_a_reference_by_range_is_resolved_at_publish(selector: str) -> None:
    publish(task(), T)
    assert 201 == status(
        publish(workflow(tasks=[{"id": "a", "input": {"items": []}, "taskRef": f"shorten{selector}"}]))
    )


def test_the_last_of_workflows_that_start_each_other_for_ever_is_refused() -> None:
    names = ["one", "two", "three"]
    for name, below in zip(names, [*names[1:], names[0]], strict=True):
        last = publish(workflow(name, tasks=[{"id": "go", "workflowRef": below, "timeout": "1m"}]))
    found = [one["message"] for one in body_of(last)["findings"] if one["severity"] == "error"]
    ring = "the workflow starts itself through one → two, without a condition that ends it"
    assert (422, [ring]) == (status(last), found)
    ended = {"id": "go", "workflowRef": "one", "timeout": "1m", "condition": "false"}
    assert 201 == status(publish(workflow("three", tasks=[ended])))


def test_a_reserved_name_is_refused() -> None:
    assert 400 == status(publish(workflow("validate")))


def test_put_needs_the_name_of_the_document_in_the_address() -> None:
    assert 201 == status(handle("PUT", f"{W}/hello", workflow()))
    assert 400 == status(handle("PUT", f"{W}/other", workflow()))


def test_if_match_guards_every_write() -> None:
    tag = header(publish(workflow(description="a")), "ETag")
    match = {"If-Match": str(tag)}
    assert 201 == status(handle("PUT", f"{W}/hello", workflow(description="b"), headers=match))
    stale = handle("PUT", f"{W}/hello", workflow(description="c"), headers=match)
    assert (412, "precondition-failed") == (status(stale), body_of(stale)["code"])
    assert 412 == status(handle("POST", f"{W}/hello/activate", {"version": "r1"}, headers=match))
    assert 412 == status(handle("PUT", f"{W}/new", workflow("new"), headers={"If-Match": "*"}))


def test_reading_gives_the_document_its_source_and_its_metadata() -> None:
    publish(YAML_WORKFLOW, headers=YAML)
    result = handle("GET", f"{W}/hello")
    found = body_of(result)
    assert YAML_WORKFLOW == found["source"]
    assert (["demo"], ["greeting"]) == (found["categories"], found["tags"])
    assert [{"name": "one", "input": {"who": "Ann"}}] == found["examples"]
    assert ["who"] == found["input"]["required"]
    assert ("1.0.0", 1) == (found["activeVersion"], found["latestRevision"])
    assert "ann" == found["createdBy"]
    tag = str(header(result, "ETag"))
    assert 304 == status(handle("GET", f"{W}/hello", headers={"If-None-Match": tag}))
    assert 200 == status(handle("GET", f"{W}/hello", headers={"If-None-Match": '"0"'}))


def test_publishing_without_activating_leaves_new_starts_where_they_are() -> None:
    publish(workflow(description="a"))
    assert body_of(publish(workflow(description="b"), f"{W}?activate=false"))["active"] is False
    assert ("1.0.0", "1.0.1") == (
        body_of(handle("GET", f"{W}/hello"))["activeVersion"],
        body_of(handle("GET", f"{W}/hello"))["latestVersion"],
    )
    moved = handle("POST", f"{W}/hello/activate", {"version": "1.0.1"})
    assert (200, "1.0.1") == (status(moved), body_of(moved)["activeVersion"])
    again = handle("POST", f"{W}/hello/activate", {"version": "r2"})
    assert header(moved, "ETag") == header(again, "ETag")
    assert 404 == status(handle("POST", f"{W}/hello/activate", {"version": "9.9.9"}))


def test_publishing_an_old_content_again_makes_it_active_again() -> None:
    publish(workflow(description="a"))
    publish(workflow(description="b"))
    back = publish(workflow(description="a"))
    assert (200, 1, True) == (status(back), body_of(back)["revision"], body_of(back)["active"])
    assert 1 == body_of(handle("GET", f"{W}/hello"))["activeRevision"]


@pytest.mark.parametrize(("base", "made"), [(W, workflow()), (T, task())], ids=["workflow", "task"])
def test_a_deleted_definition_is_404_until_one_of_its_versions_is_activated(base: str, made: Any) -> None:
    name = made["metadata"]["name"]
    handle("POST", base, made)
    assert 412 == status(handle("DELETE", f"{base}/{name}", headers={"If-Match": '"7"'}))
    gone = handle("DELETE", f"{base}/{name}")
    assert (200, name, []) == (status(gone), body_of(gone)["name"], body_of(gone)["affected"])
    assert [404, 404] == [status(handle(method, f"{base}/{name}")) for method in ("GET", "DELETE")]
    assert [] == body_of(handle("GET", base))["items"]
    assert 200 == status(handle("GET", f"{base}/{name}/versions/r1"))
    assert 200 == status(handle("POST", f"{base}/{name}/activate", {"version": "r1"}))
    assert 200 == status(handle("GET", f"{base}/{name}"))


def test_a_definition_in_use_is_409_with_who_uses_it_unless_forced() -> None:
    handle("POST", T, task())
    publish(workflow(tasks=[{"id": "a", "taskRef": "shorten", "input": {"items": [1]}}]))
    target = f"{T}/shorten"
    refused = handle("DELETE", target)
    assert (409, "hello") == (status(refused), body_of(refused)["affected"][0]["name"])
    assert 200 == status(handle("DELETE", f"{target}?force=true"))


def test_what_was_never_activated_can_be_read_but_has_no_active_version() -> None:
    publish(workflow(), f"{W}?activate=false")
    found = body_of(handle("GET", f"{W}/hello"))
    assert (None, None, False) == (found["activeVersion"], found["activeRevision"], found["active"])
    assert 409 == status(handle("POST", f"{W}/hello/validate-input", {"input": {}}))


def test_versions_are_listed_newest_first_in_pages() -> None:
    for number in range(5):
        publish(workflow(description=str(number)))
    first = body_of(handle("GET", f"{W}/hello/versions?limit=3"))
    rest = body_of(handle("GET", f"{W}/hello/versions?limit=3&cursor={first['cursor']}"))
    assert [5, 4, 3, 2, 1] == [v["revision"] for v in first["items"] + rest["items"]]
    assert rest["cursor"] is None
    assert [True, False, False, False, False] == [v["active"] for v in first["items"] + rest["items"]]


@pytest.mark.parametrize("selector", ["1.0.0", "r1"])
def test_one_version_is_read_by_label_or_revision(selector: str) -> None:
    publish(YAML_WORKFLOW, headers=YAML)
    result = handle("GET", f"{W}/hello/versions/{selector}")
    assert (200, YAML_WORKFLOW) == (status(result), body_of(result)["source"])
    assert 304 == status(
        handle("GET", f"{W}/hello/versions/{selector}", headers={"If-None-Match": str(header(result, "ETag"))})
    )


def test_what_is_not_there_is_a_404() -> None:
    publish(workflow())
    for path in ("nobody", "nobody/versions", "nobody/graph", "hello/versions/7.7.7", "hello/versions/r9"):
        assert 404 == status(handle("GET", f"{W}/{path}")), path
    assert 404 == status(handle("POST", f"{W}/nobody/activate", {"version": "latest"}))


def test_definitions_are_listed_by_name_in_pages_with_their_metadata() -> None:
    for name in ("cc", "aa", "bb"):
        publish(workflow(name, tags=[name]))
    first = body_of(handle("GET", f"{W}?limit=2"))
    rest = body_of(handle("GET", f"{W}?limit=2&cursor={first['cursor']}"))
    assert [("aa", ["aa"]), ("bb", ["bb"]), ("cc", ["cc"])] == [
        (d["name"], d["tags"]) for d in first["items"] + rest["items"]
    ]


def test_a_cursor_that_was_changed_or_belongs_elsewhere_is_refused() -> None:
    for name in ("aa", "bb"):
        publish(workflow(name))
    cursor = body_of(handle("GET", f"{W}?limit=1"))["cursor"]
    for bad in ("x", cursor[:-4], cursor[::-1], "%23", "AAAA"):
        assert 400 == status(handle("GET", f"{W}?limit=1&cursor={bad}")), bad
    assert 400 == status(handle("GET", f"{T}?limit=1&cursor={cursor}"))


def test_a_tenant_and_a_namespace_see_only_their_own() -> None:
    publish(workflow())
    publish(workflow(), f"{W}?namespace=other", who=Who(tenant="acme"))
    publish({**workflow("hello"), "metadata": {"name": "hello", "namespace": "third"}})
    assert 404 == status(handle("GET", f"{W}/hello", who=Who(tenant="evil")))
    assert [] == body_of(handle("GET", W, who=Who(tenant="evil")))["items"]
    assert ["default", "other", "third"] == [
        body_of(handle("GET", f"{W}/hello?namespace={n}"))["namespace"] for n in ("default", "other", "third")
    ]
    mixed = publish({**workflow("x"), "metadata": {"name": "x", "namespace": "third"}}, f"{W}?namespace=other")
    assert 400 == status(mixed)


def test_the_same_key_and_body_gets_the_first_answer_and_another_body_is_refused() -> None:
    key = {"Idempotency-Key": "k-1"}
    first = publish(workflow(description="a"), headers=key)
    publish(workflow(description="b"))
    again = publish(workflow(description="a"), headers=key)
    assert (status(first), first["body"]) == (status(again), again["body"])
    other = publish(workflow(description="c"), headers=key)
    assert (422, "idempotency-mismatch") == (status(other), body_of(other)["code"])
    assert 201 == status(publish(workflow(description="d"), headers={"Idempotency-Key": "k-2"}))
    assert 400 == status(publish(workflow(), headers={"Idempotency-Key": "a b"}))


def test_unchanged_content_with_a_key_is_recorded_too() -> None:
    key = {"Idempotency-Key": "k-1"}
    publish(workflow())
    assert 200 == status(publish(workflow(), headers=key))
    assert 422 == status(publish(workflow(description="other"), headers=key))


def test_validating_stores_nothing() -> None:
    result = handle("POST", f"{W}/validate", YAML_WORKFLOW, headers=YAML)
    assert (200, True, "hello") == (status(result), body_of(result)["valid"], body_of(result)["name"])
    assert [] == body_of(handle("GET", W))["items"]
    broken = body_of(handle("POST", f"{W}/validate", "kind: [", headers=YAML))
    assert (False, None, "syntax") == (broken["valid"], broken["contentHash"], broken["findings"][0]["code"])


@pytest.mark.parametrize("base", [W, T])
def test_findings_are_a_log_for_code_scanning_where_that_is_asked_for(base: str) -> None:
    result = handle("POST", f"{base}/validate?format=sarif&file=flows/a%20b.yaml", "kind: [", headers=YAML)
    log = body_of(result)
    assert (200, "application/sarif+json", []) == (status(result), header(result, "content-type"), faults(log))
    (found,) = log["runs"][0]["results"]
    place = found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert ("syntax", "flows/a%20b.yaml") == (found["ruleId"], place)
    assert 400 == status(handle("POST", f"{base}/validate?format=xml", "kind: [", headers=YAML))


def test_an_input_is_judged_and_what_is_missing_is_asked_for() -> None:
    publish(YAML_WORKFLOW, headers=YAML)
    lacking = body_of(handle("POST", f"{W}/hello/validate-input", {"input": {}}))
    assert lacking["valid"] is False
    assert [{"name": "who", "type": "string", "description": "Whom to greet"}] == lacking["missingInputs"]
    assert lacking["suggestedPrompt"]
    assert body_of(handle("POST", f"{W}/hello/validate-input", {"input": {"who": "Ann"}}))["valid"] is True
    assert body_of(handle("POST", f"{W}/hello/validate-input", {"input": {"who": 1}}))["invalidInputs"]


def test_the_graph_says_why_a_task_waits() -> None:
    tasks = [
        step("a"),
        step("b", dependsOn=["a"]),
        {**step("c"), "input": {"items": "{{tasks.a.output}}"}, "dependsOn": ["b", "a"]},
    ]
    publish(workflow(tasks=tasks))
    graph = body_of(handle("GET", f"{W}/hello/graph"))
    assert {
        ("a", "b"): (["order"], []),
        ("a", "c"): (["data", "order"], ["tasks.a.output"]),
        ("b", "c"): (["order"], []),
    } == {(e["from"], e["to"]): (e["why"], e["reads"]) for e in graph["edges"]}
    assert [["a"], ["b"], ["c"]] == graph["layers"]
    text = handle("GET", f"{W}/hello/graph?format=mermaid")
    assert text["body"].startswith("flowchart TD\n")
    assert "  n0 --> n2\n" in text["body"]
    assert 400 == status(handle("GET", f"{W}/hello/graph?format=dot"))


def test_tasks_have_the_same_life() -> None:
    document = task(inputSchema={"type": "object", "required": ["items"]}, category="lists", tags=["x"])
    assert 201 == status(publish(document, T))
    found = body_of(handle("GET", f"{T}/shorten"))
    assert (["lists"], ["x"], ["items"]) == (found["categories"], found["tags"], found["input"]["required"])
    assert 201 == status(handle("PUT", f"{T}/shorten", task(limit=2)))
    assert [2, 1] == [v["revision"] for v in body_of(handle("GET", f"{T}/shorten/versions"))["items"]]
    assert 200 == status(handle("GET", f"{T}/shorten/versions/1.0.0"))
    assert 200 == status(handle("POST", f"{T}/shorten/activate", {"version": "^1.0.0"}))
    assert body_of(handle("POST", f"{T}/validate", task()))["valid"] is True
    judged = body_of(handle("POST", f"{T}/shorten/validate-input", {"input": {}, "version": "1.0.0"}))
    assert ["items"] == [m["name"] for m in judged["missingInputs"]]
    assert 1 == len(body_of(handle("GET", T))["items"])


def test_many_publishers_at_once_lose_no_revision(world: Platform) -> None:
    def one(number: int) -> tuple[int, int]:
        result = publish(workflow(description=f"d{number}"))
        return status(result), body_of(result)["revision"]

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(one, range(24)))
    assert [201] * 24 == [code for code, _ in answers]
    assert list(range(1, 25)) == sorted(revision for _, revision in answers)
    listed = body_of(handle("GET", f"{W}/hello/versions?limit=50"))["items"]
    assert 24 == len({v["contentHash"] for v in listed}) == len({v["version"] for v in listed})


def test_many_publishers_of_one_content_make_one_version() -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: publish(workflow(), headers={"Idempotency-Key": "same"}), range(12)))
    assert {1} == {body_of(result)["revision"] for result in answers}
    assert 1 == len({result["body"] for result in answers})


def test_a_function_imports_nothing_but_our_own_package() -> None:
    from tests.functions.apps import CONCERNS, path_of

    for concern in CONCERNS:
        lines = [line.split() for line in path_of(concern).read_text().splitlines()]
        roots = {words[1].split(".")[0] for words in lines if words[:1] in (["from"], ["import"])}
        assert {"__future__", "millrace"} <= roots <= {"__future__", "typing", "millrace"}, concern
    assert importlib.util.find_spec("millrace") is not None
