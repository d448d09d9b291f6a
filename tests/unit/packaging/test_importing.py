"""What an import does to a tenant: the same as its dry run said, once, and nothing at all when it is refused."""

from __future__ import annotations

import json
from typing import Any

import boto3
import msgspec
import pytest

from millrace.adapters.memory import ManualClock, MemorySecrets
from millrace.adapters.secrets import ManagedSecrets
from millrace.base.errors import Conflict, InvalidDocument, InvalidRequest, NotFound, StoreUnavailable
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret
from millrace.services.delete_definition import delete_definition
from millrace.services.export_workflow import export_workflow
from millrace.services.get_definition import get_definition
from millrace.services.import_package import SECRETS_ASKED, import_package
from millrace.services.list_versions import list_versions
from millrace.services.platform import Platform
from millrace.spec import content_hash, load
from tests.conformance.documents.cloud import REGION, mocked_aws
from tests.functions.documents import workflow
from tests.functions.world import NotedOrchestrator, caller, platform
from tests.unit.packaging.builders import WHO, bring, flow, package_of, publish, remade, reusable, stocked

GOOD = package_of(stocked())
SENDER = {"apiVersion": "workflow.io/v1", "kind": "Workflow", "metadata": {"name": "sender"}}


def actions(report: dict[str, Any]) -> dict[str, str]:
    return {f"{one['name']} {one['version']}": one["action"] for one in report["definitions"]}


def labels(world: Platform, kind: Any, name: str) -> list[str]:
    return [one["version"] for one in list_versions(world, WHO, kind, name, limit=50, cursor=None)["items"]]


def active(world: Platform, kind: Any, name: str) -> str:
    found: str = get_definition(world, WHO, kind, name)[0]["activeVersion"]
    return found


def test_a_dry_run_lists_what_would_happen_and_writes_nothing() -> None:
    world = platform()
    report = bring(world, GOOD, dry_run=True)
    assert {"read-customer 2.0.0": "create", "shorten 1.2.0": "create", "order-flow 2.1.0": "create"} == actions(report)
    assert (True, False, True) == (report["dryRun"], report["applied"], report["valid"])
    assert report == bring(world, GOOD, dry_run=True)


def test_an_import_brings_back_what_was_deleted() -> None:
    world = platform()
    bring(world, GOOD)
    delete_definition(world, WHO, "workflow", "order-flow")
    for name in ("shorten", "read-customer"):
        delete_definition(world, WHO, "task", name)
    said, done = bring(world, GOOD, dry_run=True), bring(world, GOOD)
    assert {"unchanged"} == set(actions(said).values()) == set(actions(done).values())
    assert [True, True, True] == [one["activates"] for one in said["definitions"]]
    assert [[], []] == [said["differences"], done["differences"]]
    assert ("1.2.0", "2.1.0") == (active(world, "task", "shorten"), active(world, "workflow", "order-flow"))
    assert GOOD == export_workflow(world, WHO, "order-flow", shape="package").data


def test_an_import_does_what_its_dry_run_said() -> None:
    world = platform()
    said, done = bring(world, GOOD, dry_run=True), bring(world, GOOD)
    assert actions(said) == actions(done)
    assert [1, 1, 1] == [one["revision"] for one in done["definitions"]]
    assert ("2.0.0", "2.1.0") == (active(world, "task", "read-customer"), active(world, "workflow", "order-flow"))
    detail, _ = get_definition(world, WHO, "workflow", "order-flow")
    assert detail["source"].startswith("# Serves an order\n")


def test_an_import_starts_nothing() -> None:
    world = platform()
    bring(world, GOOD)
    assert isinstance(world.orchestrator, NotedOrchestrator)
    assert [] == world.orchestrator.started


def test_an_import_that_is_repeated_changes_nothing() -> None:
    world = platform()
    bring(world, GOOD)
    again = bring(world, GOOD)
    assert {"unchanged"} == set(actions(again).values())
    assert [None, None, None] == [one["revision"] for one in again["definitions"]]
    assert ["2.1.0"] == labels(world, "workflow", "order-flow")


def test_an_import_that_was_cut_off_goes_on_where_it_ended() -> None:
    world = platform()
    publish(world, "task", reusable("shorten", 9, version="1.0.0"))
    publish(world, "task", stocked_source("read-customer"))
    report = bring(world, GOOD)
    assert {
        "read-customer 2.0.0": "unchanged",
        "shorten 1.2.0": "update",
        "order-flow 2.1.0": "create",
    } == actions(report)


def stocked_source(name: str) -> str:
    found: str = get_definition(stocked(), WHO, "task", name)[0]["source"]
    return found


def test_what_is_missing_around_the_package_is_listed_by_name() -> None:
    world = platform()
    world.secrets.put(WHO.scope, "hook-token", Secret("s3cret", ("hooks.example.com",)))
    report = bring(world, GOOD, dry_run=True)
    assert [{"name": "crm-token", "hosts": ["api.example.com"], "hostsComputed": False}] == report["missingSecrets"]
    assert ["HOST", "REGION"] == report["missingEnv"]
    assert "s3cret" not in str(report)


def test_a_task_that_the_package_needs_without_a_version_becomes_active() -> None:
    world = stocked()
    publish(world, "task", reusable("read-customer", 3, version="3.0.0"))
    said = bring(world, GOOD, dry_run=True)
    assert "3.0.0" == active(world, "task", "read-customer")
    assert [] == said["differences"]
    bring(world, GOOD)
    assert "2.0.0" == active(world, "task", "read-customer")


def test_a_range_that_means_a_newer_version_here_is_told() -> None:
    world = platform()
    publish(world, "task", reusable("shorten", 5, version="1.9.0"))
    difference = {
        "kind": "workflow",
        "name": "order-flow",
        "version": "2.1.0",
        "reference": "shorten@^1",
        "pinned": "1.2.0",
        "resolves": "1.9.0",
    }
    assert [difference] == bring(world, GOOD, dry_run=True)["differences"]
    assert [difference] == bring(world, GOOD)["differences"]


def in_conflict() -> Platform:
    world = platform()
    publish(world, "task", reusable("shorten", 7, version="1.2.0"))
    return world


def test_a_label_that_names_other_content_stops_the_import_before_anything_is_written() -> None:
    world = in_conflict()
    said = bring(world, GOOD, dry_run=True)
    assert ("conflict", False) == (actions(said)["shorten 1.2.0"], said["valid"])
    with pytest.raises(Conflict) as caught:
        bring(world, GOOD)
    assert ["task shorten 1.2.0"] == caught.value.facts["conflicts"]
    assert said == bring(world, GOOD, dry_run=True)


def test_a_conflict_can_be_skipped_and_the_difference_is_told() -> None:
    world = in_conflict()
    report = bring(world, GOOD, on_conflict="skip")
    assert ("skip", "create") == (actions(report)["shorten 1.2.0"], actions(report)["order-flow 2.1.0"])
    assert [("shorten@^1", "1.2.0")] == [(one["reference"], one["resolves"]) for one in report["differences"]]
    assert ["1.2.0"] == labels(world, "task", "shorten")


def test_a_conflict_can_become_a_new_version_once_however_often_it_is_imported() -> None:
    world = in_conflict()
    for _ in range(3):
        report = bring(world, GOOD, on_conflict="new-version")
        assert [] == report["differences"]
        assert "1.2.1" == next(one["publishedAs"] for one in report["definitions"] if one["name"] == "shorten")
    assert ["1.2.1", "1.2.0"] == labels(world, "task", "shorten")
    source = get_definition(world, WHO, "task", "shorten")[0]["source"]
    assert '"limit": 7' in source
    publish(world, "workflow", flow("shorten@1.2.1", name="look"))
    assert "# one is enough" in str(package_of(world, "look"))


def test_a_conflict_of_a_document_without_a_label_becomes_the_next_patch() -> None:
    other = platform()
    publish(other, "task", reusable("shorten", 1))
    publish(other, "workflow", flow("shorten"))
    world = platform()
    publish(world, "task", reusable("shorten", 2))
    report = bring(world, package_of(other, "flow"), on_conflict="new-version")
    assert ["1.0.1", "1.0.0"] == [one["publishedAs"] for one in report["definitions"]]
    assert "1.0.1" == active(world, "task", "shorten")
    assert {"unchanged"} == set(actions(bring(world, package_of(other, "flow"), on_conflict="new-version")).values())


def test_many_later_versions_do_not_hide_one_that_was_imported_before() -> None:
    world = in_conflict()
    bring(world, GOOD, on_conflict="new-version")
    for number in range(120):
        publish(world, "task", reusable("shorten", number + 10, version=f"1.3.{number}"))
    again = bring(world, GOOD, on_conflict="new-version", dry_run=True)
    assert "unchanged" == actions(again)["shorten 1.2.0"]


@pytest.mark.parametrize("words", ['version: &v "1.2.0", tags: [*v]', 'tags: [&v "1.2.0"], version: *v'])
def test_a_label_that_cannot_be_replaced_in_place_is_refused(words: str) -> None:
    other = platform()
    text = (
        "apiVersion: workflow.io/v1\nkind: WorkflowTask\nmetadata: {name: shorten}\n"
        f"spec: {{type: transform, {words}, transform: [{{limit: 1}}]}}\n"
    )
    publish(other, "task", text)
    publish(other, "workflow", flow("shorten", version="1.0.0"))
    with pytest.raises(Conflict, match="cannot be replaced"):
        bring(in_conflict(), package_of(other, "flow"), on_conflict="new-version")


def test_a_document_with_errors_is_listed_by_a_dry_run_and_refused_by_an_import() -> None:
    def broken(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        one = next(one for one in manifest["definitions"] if one["name"] == "shorten")
        files[one["file"]] = files[one["file"]].replace(b"limit: 1", b"limit: [1]")
        value = load(files[one["file"]], media="yaml").value
        one["contentHash"] = content_hash(value)
        holder = next(one for one in manifest["definitions"] if one["name"] == "order-flow")
        pin = next(pin for pin in holder["refersTo"] if pin["name"] == "shorten")
        pin["contentHash"] = one["contentHash"]

    world = platform()
    data = remade(GOOD, broken)
    said = bring(world, data, dry_run=True)
    assert (False, ["task shorten 1.2.0"]) == (
        said["valid"],
        [one["definition"] for one in said["findings"] if one["severity"] == "error"],
    )
    with pytest.raises(InvalidDocument, match=r"task shorten 1\.2\.0, line 5"):
        bring(world, data)
    assert said == bring(world, data, dry_run=True)


def test_workflows_of_a_package_that_start_each_other_for_ever_are_refused() -> None:
    other = platform()
    ends = {"condition": "false"}
    for name, below, more in (("three", "one", ends), ("two", "three", {}), ("one", "two", {})):
        go = {"id": "go", "workflowRef": below, "timeout": "1m", **more}
        publish(other, "workflow", workflow(name, tasks=[go], version="1.0.0"))

    def endless(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        one = next(one for one in manifest["definitions"] if one["name"] == "three")
        value = json.loads(files[one["file"]])
        del value["spec"]["tasks"][0]["condition"]
        files[one["file"]] = json.dumps(value).encode()
        holder = next(one for one in manifest["definitions"] if one["name"] == "two")
        one["contentHash"] = holder["refersTo"][0]["contentHash"] = content_hash(value)

    with pytest.raises(InvalidDocument, match="starts itself through"):
        bring(platform(), remade(package_of(other, "one"), endless))


def test_the_namespace_that_the_documents_name_is_the_one_they_go_to() -> None:
    other = platform()
    who = caller(namespace="prod")
    document = flow("shorten", version="1.0.0")
    document["metadata"]["namespace"] = "prod"
    publish(other, "task", reusable("shorten", 1), who=who)
    publish(other, "workflow", document, who=who)
    data = export_workflow(other, who, "flow", shape="package").data
    world = platform()
    assert "prod" == bring(world, data)["namespace"]
    assert "flow" == get_definition(world, who, "workflow", "flow")[0]["name"]
    with pytest.raises(InvalidRequest, match="several namespaces"):
        import_package(world, caller(namespace="test"), data)


def test_another_tenant_sees_nothing_of_an_import() -> None:
    world = platform()
    bring(world, GOOD)
    with pytest.raises(NotFound):
        get_definition(world, caller(tenant="evil"), "workflow", "order-flow")


def test_a_name_that_is_a_word_of_the_api_is_refused() -> None:
    def rename(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        old = files.pop("tasks/shorten/1.2.0.yaml").replace(b"name: shorten", b"name: labels")
        flow_text = files["workflows/order-flow/2.1.0.yaml"].replace(b"taskRef: shorten", b"taskRef: labels")
        files |= {"tasks/labels/1.2.0.yaml": old, "workflows/order-flow/2.1.0.yaml": flow_text}
        one = next(one for one in manifest["definitions"] if one["name"] == "shorten")
        digest = content_hash(load(old, media="yaml").value)
        one.update(name="labels", contentHash=digest, file="tasks/labels/1.2.0.yaml")
        holder = next(one for one in manifest["definitions"] if one["name"] == "order-flow")
        holder["contentHash"] = content_hash(load(flow_text, media="yaml").value)
        pin = next(pin for pin in holder["refersTo"] if pin["name"] == "shorten")
        pin.update(name="labels", ref="labels@^1", contentHash=digest)
        holder["refersTo"].sort(key=lambda one: one["ref"])

    world = platform()
    for dry in (True, False):
        with pytest.raises(InvalidRequest, match="word of the API"):
            bring(world, remade(GOOD, rename), dry_run=dry)


def test_latest_means_what_is_published_last() -> None:
    other = platform()
    publish(other, "task", reusable("shorten", 1, version="2.0.0"))
    publish(other, "task", reusable("shorten", 2, version="1.0.0"))
    publish(other, "workflow", flow("shorten@2.0.0", "shorten@latest"))
    data = package_of(other, "flow")
    world = platform()
    publish(world, "task", reusable("shorten", 3, version="3.0.0"))
    assert [] == bring(world, data)["differences"]
    publish(world, "task", reusable("shorten", 4, version="4.0.0"))
    assert [("shorten@latest", "4.0.0")] == [
        (one["reference"], one["resolves"]) for one in bring(world, data)["differences"]
    ]


class ClosedSecrets(MemorySecrets):
    """A store whose permission to look for secrets has not been given."""

    def has(self, scope: TenantScope, name: str) -> bool:
        raise StoreUnavailable("looking for secrets is not allowed")


def test_where_secrets_cannot_be_looked_for_all_that_are_needed_are_given() -> None:
    world = msgspec.structs.replace(platform(), secrets=ClosedSecrets())
    report = bring(world, GOOD)
    assert (False, ["crm-token", "hook-token"]) == (
        report["secretsKnown"],
        [one["name"] for one in report["missingSecrets"]],
    )


def test_of_the_secrets_that_are_needed_only_those_that_are_not_stored_are_named() -> None:
    world = platform()
    world.secrets.put(WHO.scope, "crm-token", Secret("x", ("api.example.com",)))
    world.secrets.put(WHO.scope, "other", Secret("y"))
    report = bring(world, GOOD)
    assert (True, ["hook-token"]) == (report["secretsKnown"], [one["name"] for one in report["missingSecrets"]])


def needing(*names: str) -> bytes:
    """A package of one workflow that sends these secrets."""
    other = platform()
    body = {f"k{index}": f"{{{{secrets['{name}']}}}}" for index, name in enumerate(names)}
    request = {"method": "POST", "url": "https://a.example", "body": body}
    publish(other, "workflow", {**SENDER, "spec": {"tasks": [{"id": "send", "type": "http", "request": request}]}})
    return package_of(other, "sender")


def test_a_secret_that_can_be_stored_nowhere_is_missing() -> None:
    report = bring(platform(), needing("a b"))
    assert (True, ["a b"]) == (report["secretsKnown"], [one["name"] for one in report["missingSecrets"]])


@pytest.mark.parametrize(("count", "known"), [(SECRETS_ASKED, True), (SECRETS_ASKED + 1, False)])
def test_only_so_many_secrets_are_looked_for(count: int, known: bool) -> None:
    world, names = platform(), [f"s{number:03}" for number in range(count)]
    for name in names[1:]:
        world.secrets.put(WHO.scope, name, Secret("x"))
    report = bring(world, needing(*names))
    missing = [one["name"] for one in report["missingSecrets"]]
    assert (known, names[:1] if known else names) == (report["secretsKnown"], missing)


def test_an_import_asks_the_cloud_about_single_secrets_and_for_no_list() -> None:
    asked: list[str] = []
    with mocked_aws():
        client = boto3.client("secretsmanager", region_name=REGION)
        secrets = ManagedSecrets(client, ManualClock(), prefix="stack/secrets")
        secrets.put(WHO.scope, "crm-token", Secret("x", ("api.example.com",)))
        client.meta.events.register("before-call", lambda model, **_: asked.append(model.name))
        report = bring(msgspec.structs.replace(platform(), secrets=secrets), GOOD)
    assert (True, ["hook-token"]) == (report["secretsKnown"], [one["name"] for one in report["missingSecrets"]])
    assert ["DescribeSecret"] * 2 == asked
