"""What is exported: everything a workflow depends on, in three forms, the same bytes each time, and no secret."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.base.errors import Conflict, InvalidDocument, InvalidRequest, NotFound, TooLarge
from millrace.base.limits import PACKAGE_FILES
from millrace.local.documents import read_file
from millrace.ports.secrets import Secret
from millrace.services.activate_definition import activate_definition
from millrace.services.export_workflow import Format, export_workflow
from millrace.services.packaging import needs
from millrace.services.packaging.manifest import NeededSecret
from millrace.services.packaging.unpacking import read_archive
from millrace.services.platform import Platform
from millrace.spec import content_hash, load
from tests.functions.world import platform
from tests.unit.packaging.builders import (
    CALL,
    FLOW,
    TASK,
    WHO,
    bring,
    flow,
    manifest_of,
    package_of,
    publish,
    reusable,
    stocked,
)

FORMS: tuple[Format, ...] = ("yaml", "json", "package")
LABELS = [None, "1.0.0", "1.1.0", "2.0.0", "2.0.0-rc.1", "2.0.0-RC.1"]
SELECTORS = ["", "@latest", "@1.0.0", "@^1", "@~1.1", "@2.0.0-RC.1", "@2"]


def export(world: Platform, shape: Format, name: str = "order-flow", version: str | None = None) -> bytes:
    return export_workflow(world, WHO, name, shape=shape, version=version).data


@pytest.mark.parametrize("shape", FORMS)
def test_two_tenants_with_the_same_content_export_the_same_bytes(shape: Format) -> None:
    other = platform()
    publish(other, "task", CALL)
    publish(other, "task", reusable("shorten", 9, version="1.0.0"))
    publish(other, "task", TASK)
    publish(other, "workflow", FLOW.replace("ours", "ours").replace("[1, 2]", "[1]").replace("2.1.0", "2.0.0"))
    publish(other, "workflow", FLOW)
    assert export(stocked(), shape) == export(other, shape)


@st.composite
def worlds(draw: st.DrawFn) -> Platform:
    """A tenant with a workflow named flow over tasks of several versions, some of them made active again."""
    world = platform()
    names = ["a", "b", "c"]
    for name in names:
        for number, label in enumerate(draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4))):
            document = reusable(name, number + 1, **({"version": label} if label else {}))
            try:
                text: Any = json.dumps(document) + "  # kept\n" if draw(st.booleans()) else document
                publish(world, "task", text, activate=number == 0 or draw(st.booleans()))
            except Conflict:  # the label is taken
                continue
    references = draw(
        st.lists(st.builds(str.__add__, st.sampled_from(names), st.sampled_from(SELECTORS)), min_size=1, max_size=4)
    )
    label = draw(st.sampled_from([None, "3.0.0"]))
    try:
        publish(world, "workflow", flow(*references, **({"version": label} if label else {})))
    except InvalidDocument:  # a selector that means nothing here
        publish(world, "workflow", flow("a"))
    return world


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_export_then_import_into_an_empty_tenant_then_export_gives_the_same_bytes(world: Platform) -> None:
    first = package_of(world, "flow")
    empty = platform()
    report = bring(empty, first)
    assert [] == report["differences"]
    assert first == package_of(empty, "flow")
    for shape in FORMS:
        assert export(world, shape, "flow") == export(empty, shape, "flow")


def test_the_sources_keep_their_comments_and_their_bytes() -> None:
    files = read_archive(package_of(stocked()))
    assert {TASK.encode(), CALL.encode(), FLOW.encode()} == set(files.values()) - {files["manifest.json"]}


def test_every_version_that_is_referred_to_is_in_and_no_other() -> None:
    world = platform()
    for number in range(1, 5):
        publish(world, "task", reusable("a", number, version=f"1.{number}.0"))
    publish(world, "task", reusable("unused", 1))
    publish(world, "workflow", flow("a@1.1.0", "a@~1.2", "a"))
    manifest = manifest_of(package_of(world, "flow"))
    told = [(one["name"], one["version"], one["activate"]) for one in manifest["definitions"]]
    assert [("a", "1.1.0", False), ("a", "1.2.0", False), ("a", "1.4.0", True), ("flow", "1.0.0", True)] == told


def test_an_older_version_can_be_exported() -> None:
    world = stocked()
    publish(world, "workflow", FLOW.replace("2.1.0", "3.0.0"))
    assert "2.1.0" == manifest_of(package_of(world, version="^2"))["package"]["version"]
    assert "order-flow-3.0.0.zip" == export_workflow(world, WHO, "order-flow", shape="package").file_name
    with pytest.raises(NotFound):
        package_of(world, version="9.9.9")


def test_what_is_not_there_or_not_active_is_not_exported() -> None:
    world = platform()
    with pytest.raises(NotFound):
        package_of(world)
    publish(world, "task", reusable("a", 1))
    publish(world, "workflow", flow("a"), activate=False)
    with pytest.raises(Conflict):
        package_of(world, "flow")
    activate_definition(world, WHO, "workflow", "flow", version="r1")
    assert package_of(world, "flow")


def test_a_reference_that_leads_nowhere_any_more_is_named() -> None:
    world = platform()
    publish(world, "task", reusable("a", 1, version="1.0.0"), activate=False)
    publish(world, "workflow", flow("a@^1"))
    from millrace.ports.documents import Delete
    from millrace.store.definitions import item_key

    world.documents.write(WHO.scope, [Delete(item_key("task", "default", "a", "label#1.0.0"))])
    with pytest.raises(Conflict, match="leads nowhere") as caught:
        package_of(world, "flow")
    assert ["a@^1"] == caught.value.facts["missing"]


def test_a_reference_by_revision_number_does_not_travel() -> None:
    world = platform()
    publish(world, "task", reusable("a", 1))
    publish(world, "workflow", flow("a@r1"))
    with pytest.raises(InvalidRequest, match="a@r1"):
        package_of(world, "flow")
    assert export(world, "yaml", "flow")


def test_a_workflow_with_too_many_dependencies_is_too_large() -> None:
    world = platform()
    names = [f"t{number}" for number in range(PACKAGE_FILES)]
    for name in names:
        publish(world, "task", reusable(name, 1))
    publish(world, "workflow", flow(*names))
    with pytest.raises(TooLarge):
        package_of(world, "flow")


def test_an_export_that_passes_the_limit_of_a_package_is_too_large() -> None:
    world = platform()
    names = [f"t{number}" for number in range(18)]
    for name in names:
        publish(world, "task", reusable(name, 1, description="x" * 240_000))
    publish(world, "workflow", flow(*names))
    for shape in FORMS:
        with pytest.raises(TooLarge):
            export(world, shape, "flow")


ODD = [
    "%YAML 1.2\n---\n# head\n{}",
    "\ufeff{}",
    "--- # first\n{}...\n",
    "# before\n---\r\n{}",
    "{}\n...\n# after\n",
    "{}",
]


@pytest.mark.parametrize("shape", ODD)
def test_a_stream_of_sources_reads_as_the_documents_it_was_made_of(shape: str, tmp_path: Path) -> None:
    world = platform()
    publish(world, "task", shape.replace("{}", TASK.removeprefix("# Cuts a list short\n")))
    publish(
        world,
        "task",
        json.loads(json.dumps(reusable("smile", 1, description="\U0001f600 \x7f\x85\xa0 \u2028\ufeff\uffff \t\b /"))),
    )
    publish(world, "workflow", flow("shorten", "smile"))
    file = tmp_path / "stream.yaml"
    file.write_bytes(export(world, "yaml", "flow"))
    read = [load(part.text, media="yaml").value for part in read_file(file)]
    told = json.loads(export(world, "json", "flow"))["documents"]
    assert [content_hash(one) for one in told] == [content_hash(one) for one in read]
    assert ["shorten", "smile", "flow"] == [one["metadata"]["name"] for one in read]


CANARY = "canary-7f3a9c1e5b"


def test_no_secret_of_the_store_or_the_environment_is_in_any_export_or_report(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "REGION", "CRM_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, CANARY)
    world = msgspec.structs.replace(stocked(), env={"REGION": CANARY, "HOST": CANARY})
    for name in ("crm-token", "hook-token"):
        world.secrets.put(WHO.scope, name, Secret(CANARY, (f"{CANARY}.example.com",)))
    assert CANARY == os.environ["HOST"]
    sinks = [export(world, shape) for shape in FORMS]
    sinks += [json.dumps(bring(world, sinks[-1], dry_run=dry)).encode() for dry in (True, False)]
    files = read_archive(sinks[2])
    spellings = [CANARY.encode(), base64.b64encode(CANARY.encode()), CANARY.encode().hex().encode()]
    assert [] == [word for word in spellings for sink in [*sinks, *files.values()] if word in sink]
    assert all(b"crm-token" in sink for sink in sinks[:3])


def call(**request: Any) -> dict[str, Any]:
    return {"spec": {"tasks": [{"id": "a", "request": request}]}}


@pytest.mark.parametrize(
    ("url", "host", "computed"),
    [
        ("https://api.example.com/x", ["api.example.com"], False),
        ("HTTPS://API.example.com:8443?x=1", ["api.example.com"], False),
        ("https://user@api.example.com/x", ["api.example.com"], False),
        ("https://[2001:db8::1]:8443/x", ["[2001:db8::1]"], False),
        ("https://api.example.com/{{input.id}}", ["api.example.com"], False),
        ("https://{{env.HOST}}/x", [], True),
        ("https://{{env.HOST}}.example.com/x", [], True),
        ("{{input.url}}", [], True),
    ],
)
def test_the_hosts_of_a_secret_are_those_of_the_calls_that_mention_it(
    url: str, host: list[str], computed: bool
) -> None:
    value = call(url=url, headers={"x": "{{ secrets.token }}"})
    assert (NeededSecret("token", tuple(host), computed),) == needs.needed_secrets({0: (value, ("token",))})


@pytest.mark.parametrize(
    "request_",
    [
        {"body": ["{{secrets['my.token']}}"]},
        {"auth": {"bearer": {"secretRef": "my.token"}}},
        {"auth": {"oauth2": {"tokenUrl": "https://login.example.com", "secretRef": "my.token"}}},
    ],
)
def test_a_secret_is_found_however_it_is_written(request_: dict[str, Any]) -> None:
    found = needs.needed_secrets({0: (call(url="https://api.example.com", **request_), ("my.token", "other"))})
    assert "api.example.com" in found[0].hosts
    assert ("login.example.com" in found[0].hosts) is ("login" in str(request_))
    assert NeededSecret("other", (), False) == found[1]


@pytest.mark.repeats
def test_a_manifest_that_passes_its_limit_is_too_large() -> None:
    world = platform()
    names = ["a", "b"]
    for name in names:
        body = [f"{{{{secrets.{name}-{number:05d}}}}}" for number in range(8_000)]
        request = {"method": "POST", "url": "https://api.example.com/a-rather-long-path", "body": body}
        document = reusable(name, 1)
        document["spec"] = {"type": "http", "request": request}
        publish(world, "task", document)
    publish(world, "workflow", flow(*names))
    with pytest.raises(TooLarge, match="manifest"):
        package_of(world, "flow")
