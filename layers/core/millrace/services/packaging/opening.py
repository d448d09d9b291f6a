"""Opening a package: everything about it that can be judged without a tenant, before anything is written.

The manifest is not believed. Each file has to have its digest, each document its name and hash; what a document
refers to is read from the document, and has to lead to a version inside the package. So a reviewer of the manifest
sees all of it, and no name outside the package can slip into the place of one inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from millrace.base.canonical import sha256
from millrace.base.errors import InvalidDocument
from millrace.services.checked_document import KIND_NAMES, Media
from millrace.services.packaging.entries import MANIFEST, SIGNATURE, entry_of
from millrace.services.packaging.manifest import Definition, Manifest, Requires, read_manifest
from millrace.services.packaging.needs import needed_secrets, needs_of
from millrace.services.packaging.refusals import refused, shown
from millrace.services.packaging.selectors import could_mean, is_label, split
from millrace.services.packaging.signature import Signature, check_signature
from millrace.services.packaging.unpacking import read_archive
from millrace.spec import Loaded, Workflow, WorkflowTask, content_hash, load
from millrace.store.definitions import Kind

Named = tuple[str, str, str]
"""Kind, name and label."""


class Part(Struct, frozen=True):
    """One definition of an opened package."""

    definition: Definition
    source: bytes
    media: Media
    loaded: Loaded
    document: Workflow | WorkflowTask

    @property
    def kind(self) -> Kind:
        return self.definition.kind

    @property
    def title(self) -> str:
        one = self.definition
        return f"{one.kind} {one.name} {one.version}"


class Package(Struct, frozen=True):
    """``parts`` are in an order in which they can be published."""

    manifest: Manifest
    parts: tuple[Part, ...]
    signature: Signature | None


def open_package(data: bytes, *, trusted: str | None = None, signed: bool = False) -> Package:
    """A package whose every part was judged; ``trusted`` and ``signed`` as in `check_signature`.

    Raises InvalidRequest saying what is wrong, TooLarge past a limit, InvalidDocument when a source cannot be read.
    """
    files = read_archive(data)
    if MANIFEST not in files:
        raise refused("it has no manifest")
    signature = check_signature(files, trusted=trusted, required=signed)
    manifest = read_manifest(files[MANIFEST])
    _check_files(manifest, files)
    parts = tuple(_part(definition, files[definition.file]) for definition in _definitions(manifest))
    _check_references(manifest, parts)
    _check_requires(manifest, parts)
    return Package(manifest, parts, signature)


def _check_files(manifest: Manifest, files: dict[str, bytes]) -> None:
    listed = [file.path for file in manifest.files]
    held = sorted(set(files) - {MANIFEST, SIGNATURE})
    if listed != sorted(set(listed)):
        raise refused("its manifest does not list each file once, by name")
    for path in sorted(set(listed) ^ set(held)):
        why = "is in the archive and not in the manifest" if path in files else "is in the manifest and not there"
        raise refused(f"the entry {shown(path)} {why}", entry=path[:80])
    for file in manifest.files:
        if file.size != len(files[file.path]) or file.sha256 != sha256(files[file.path]):
            raise refused(f"the entry {shown(file.path)} does not have the digest that is in the manifest")


def _definitions(manifest: Manifest) -> tuple[Definition, ...]:
    """The definitions, tasks first. Raises unless each has a file of its own, in its place."""
    seen: set[Named] = set()
    for one in manifest.definitions:
        named = (one.kind, one.name, one.version)
        if named in seen:
            raise refused(f"{one.kind} {shown(one.name)} {shown(one.version)} is in its manifest twice")
        seen.add(named)
        media = "json" if one.file.endswith(".json") else "yaml"
        place = entry_of(one.kind, one.name, one.version, media=media, content_hash=one.content_hash)
        if not is_label(one.version) or one.file != place:
            raise refused(f"{one.kind} {shown(one.name)} {shown(one.version)} is not where its name says")
    if sorted(one.file for one in manifest.definitions) != [file.path for file in manifest.files]:
        raise refused("its manifest lists files that belong to no definition, or one for two")
    return tuple(sorted(manifest.definitions, key=lambda one: one.kind != "task"))


def _part(definition: Definition, source: bytes) -> Part:
    media: Media = "json" if definition.file.endswith(".json") else "yaml"
    loaded = load(source, media=media)
    document = loaded.document
    if document is None:
        findings = [finding.to_json() for finding in loaded.findings]
        first = next(finding for finding in loaded.findings if finding.severity == "error")
        raise InvalidDocument(
            f"{definition.file}, line {first.line}: {first.message}", hint=first.fix, facts={"findings": findings}
        )
    part = Part(definition, source, media, loaded, document)
    if document.kind != KIND_NAMES[definition.kind] or document.metadata.name != definition.name:
        raise refused(f"{shown(definition.file)} holds the {document.kind} {document.metadata.name}")
    if document.spec.version not in (None, definition.version):
        raise refused(f"{part.title} says in its document that it is version {shown(str(document.spec.version))}")
    if content_hash(loaded.value) != definition.content_hash:
        raise refused(f"{part.title} does not have the content hash that is in the manifest")
    return part


def _check_references(manifest: Manifest, parts: Iterable[Part]) -> None:
    """Each reference leads to a version in the package, each version is led to, and ``activate`` says the truth."""
    held: dict[Named, Part] = {(p.definition.kind, p.definition.name, p.definition.version): p for p in parts}
    root: Named = ("workflow", manifest.package.name, manifest.package.version)
    if root not in held:
        raise refused("the workflow that it is named after is not in it")
    active, reached, ahead = {root}, {root}, [root]
    while ahead:
        part = held[ahead.pop()]
        for pin in part.definition.refers_to:
            named: Named = (pin.kind, pin.name, pin.version)
            name, selector = split(pin.ref)
            target = held.get(named)
            if target is None or target.definition.content_hash != pin.content_hash:
                raise refused(f"{part.title} refers to {shown(pin.ref)}, which is not in the package")
            if name != pin.name or not could_mean(selector, pin.version):
                raise refused(f"{part.title} pins {shown(pin.ref)} to a version that it cannot mean")
            active |= set() if selector else {named}
            if named not in reached:
                reached.add(named)
                ahead.append(named)
        _check_complete(part)
    for named, part in held.items():
        if named not in reached:
            raise refused(f"nothing in the package refers to {part.title}")
        if part.definition.activate is not (named in active):
            raise refused(f"its manifest is wrong about whether {part.title} has to be active")


def _check_complete(part: Part) -> None:
    """The manifest lists what the document needs, neither less nor more."""
    needs, given = needs_of(part.document), part.definition
    pinned = tuple(sorted((pin.kind, pin.ref) for pin in given.refers_to))
    told: tuple[tuple[str, Any, Any], ...] = (
        ("references", needs.refs, pinned),
        ("secrets", needs.secrets, given.secrets),
        ("env keys", needs.env, given.env),
    )
    for what, needed, listed in told:
        if needed != listed:
            raise refused(f"its manifest does not list the {what} of {part.title} as they are in its document")


def _check_requires(manifest: Manifest, parts: tuple[Part, ...]) -> None:
    order = {(one.kind, one.name, one.version): index for index, one in enumerate(manifest.definitions)}
    values = {
        order[part.definition.kind, part.definition.name, part.definition.version]: (
            part.loaded.value,
            part.definition.secrets,
        )
        for part in parts
    }
    env = tuple(sorted({key for part in parts for key in part.definition.env}))
    if manifest.requires != Requires(needed_secrets(values), env):
        raise refused("its manifest does not list what the package requires as its documents have it")
