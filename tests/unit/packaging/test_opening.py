"""A package whose archive is sound and whose content lies: each lie is refused by name, before a tenant is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from millrace.base.errors import InvalidDocument, InvalidRequest
from millrace.services.packaging import open_package
from millrace.services.packaging.archive import write_archive
from tests.unit.packaging.builders import flow, manifest_of, package_of, publish, remade, reusable, stocked

GOOD = package_of(stocked())
CUT, READ, FLOW = "tasks/shorten/1.2.0.yaml", "tasks/read-customer/2.0.0.yaml", "workflows/order-flow/2.1.0.yaml"
Change = Callable[[dict[str, Any], dict[str, bytes]], object]


def definition(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest["definitions"] if one["name"] == name)
    return found


def setting(name: str, /, **changes: Any) -> Change:
    """A change of one definition in the manifest."""
    return lambda manifest, files: definition(manifest, name).update(changes)


def pin(**changes: Any) -> Change:
    """A change of what the reference to shorten is pinned to."""

    def change(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        one = next(one for one in definition(manifest, "order-flow")["refersTo"] if one["name"] == "shorten")
        one.update(changes)

    return change


def replacing(path: str, old: bytes, new: bytes) -> Change:
    def change(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        assert old in files[path]
        files[path] = files[path].replace(old, new)

    return change


def adding(path: str) -> Change:
    return lambda manifest, files: files.update({path: b"a: 1\n"})


def dropping(path: str) -> Change:
    return lambda manifest, files: files.pop(path)


def stranger(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    """A task that nothing refers to, listed as it should be."""
    other = package_of(_with_other())
    one = definition(manifest_of(other), "other")
    manifest["definitions"].insert(0, one)
    files[one["file"]] = json.dumps(reusable("other", 1)).encode()


def _with_other() -> Any:
    world = stocked()
    publish(world, "task", reusable("other", 1))
    publish(world, "workflow", flow("other", name="order-flow", version="3.0.0"))
    return world


def test_a_package_says_what_it_holds_and_needs() -> None:
    manifest = manifest_of(GOOD)
    assert {"name": "order-flow", "version": "2.1.0"} == manifest["package"]
    assert ["read-customer", "shorten", "order-flow"] == [one["name"] for one in manifest["definitions"]]
    assert [True, False, True] == [one["activate"] for one in manifest["definitions"]]
    assert [("read-customer", "2.0.0"), ("shorten@^1", "1.2.0")] == [
        (one["ref"], one["version"]) for one in definition(manifest, "order-flow")["refersTo"]
    ]
    assert [
        {"name": "crm-token", "hosts": ["api.example.com"], "hostsComputed": False},
        {"name": "hook-token", "hosts": [], "hostsComputed": True},
    ] == manifest["requires"]["secrets"]
    assert ["HOST", "REGION"] == manifest["requires"]["env"]
    assert [READ, CUT, FLOW] == [one["path"] for one in manifest["files"]]
    assert 3 == len(open_package(GOOD).parts)


def test_a_package_that_was_only_taken_apart_and_put_together_is_the_same() -> None:
    assert remade(GOOD) == GOOD


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (replacing(CUT, b"limit: 1", b"limit: 2"), "content hash"),
        (replacing(CUT, b"name: shorten", b"name: shortem"), "holds the WorkflowTask shortem"),
        (replacing(CUT, b'version: "1.2.0"', b'version: "1.3.0"'), "says in its document"),
        (lambda m, f: f.update({CUT: f[FLOW]}), "holds the Workflow order-flow"),
        (adding("tasks/extra/1.0.0.yaml"), "belong to no definition"),
        (stranger, "nothing in the package refers to task other"),
        (setting("shorten", version="x"), "not where its name says"),
        (setting("shorten", file=READ), "not where its name says"),
        (setting("shorten", name="../x"), "not where its name says"),
        (setting("shorten", activate=True), "has to be active"),
        (setting("read-customer", activate=False), "has to be active"),
        (setting("read-customer", secrets=[]), "the secrets of task read-customer"),
        (setting("read-customer", env=["REGION", "X"]), "the env keys of task read-customer"),
        (setting("order-flow", refersTo=[]), "the references of workflow order-flow"),
        (setting("shorten", kind="workflow"), "not where its name says"),
        (pin(version="9.9.9"), "not in the package"),
        (pin(contentHash="0" * 64), "not in the package"),
        (pin(name="shortem"), "not in the package"),
        (pin(ref="shorten@^2"), "cannot mean"),
        (pin(ref="shorten@r1"), "cannot mean"),
        (pin(ref="other@^1"), "cannot mean"),
        (pin(ref="shorten"), "references of workflow order-flow"),
        (lambda m, f: m["package"].update(name="other"), "named after"),
        (lambda m, f: m["requires"].update(env=[]), "what the package requires"),
        (lambda m, f: m["requires"]["secrets"][0].update(hosts=["evil.example"]), "what the package requires"),
        (lambda m, f: m["requires"]["secrets"].pop(), "what the package requires"),
        (lambda m, f: m["definitions"].append(m["definitions"][0]), "twice"),
        (lambda m, f: m.update(format="millrace-package/2"), "this release reads"),
        (lambda m, f: m.pop("format"), "this release reads"),
        (lambda m, f: m.update(postInstall="rm -rf /"), "does not fit"),
        (lambda m, f: m.pop("requires"), "does not fit"),
        (setting("shorten", script="x"), "does not fit"),
        (setting("shorten", activate="yes"), "does not fit"),
    ],
)
def test_a_manifest_or_a_document_that_lies_is_refused(change: Change, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        open_package(remade(GOOD, change))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (replacing(CUT, b"# one is enough", b"# one is enough!"), "digest"),
        (replacing(CUT, b"limit: 1", b"limit: 2"), "digest"),
        (adding("tasks/extra/1.0.0.yaml"), "in the archive and not in the manifest"),
        (dropping(CUT), "in the manifest and not there"),
        (lambda m, f: m["files"].reverse(), "each file once"),
        (lambda m, f: m["files"].append(m["files"][-1]), "each file once"),
        (lambda m, f: m["files"][0].update(size=1), "digest"),
    ],
)
def test_a_file_without_its_digest_is_refused(change: Change, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        open_package(remade(GOOD, change, digests=False))


def test_a_manifest_in_another_spelling_is_refused() -> None:
    files = {"manifest.json": json.dumps(manifest_of(GOOD), indent=1).encode()}
    with pytest.raises(InvalidRequest, match="canonical"):
        open_package(write_archive(files))


@pytest.mark.parametrize("manifest", [b"", b"[]", b"null", b"{", b'{"format": 1}', b"[" * 10_000, b"\xff"])
def test_a_manifest_that_is_none_is_refused(manifest: bytes) -> None:
    with pytest.raises(InvalidRequest):
        open_package(write_archive({"manifest.json": manifest}))


def test_an_archive_without_a_manifest_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no manifest"):
        open_package(write_archive({}))


@pytest.mark.parametrize("source", [b"[" * 100_000, b"a: &a [*a]", b"!!python/object:os.system {}", b"\xff", b"a: 1"])
def test_a_source_that_cannot_be_read_is_refused_with_its_findings(source: bytes) -> None:
    with pytest.raises(InvalidDocument) as caught:
        open_package(remade(GOOD, lambda manifest, files: files.update({CUT: source})))
    assert caught.value.facts["findings"]
    assert CUT in caught.value.message
