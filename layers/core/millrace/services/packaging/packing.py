"""From a closure to the three forms it is exported in, all without a secret's value: none is ever read here."""

from __future__ import annotations

from millrace.base.canonical import dumps, sha256
from millrace.base.errors import InvalidRequest
from millrace.base.limits import PACKAGE_BYTES, PACKAGE_MANIFEST_BYTES
from millrace.services.packaging.archive import write_archive
from millrace.services.packaging.closure import Closure, Member
from millrace.services.packaging.entries import MANIFEST, entry_of
from millrace.services.packaging.manifest import FORMAT, Definition, File, Manifest, Pin, Requires, Root
from millrace.services.packaging.needs import needed_secrets
from millrace.services.packaging.refusals import too_large
from millrace.services.packaging.selectors import by_revision
from millrace.services.packaging.streams import stream_part


def as_package(closure: Closure) -> bytes:
    """The archive. Raises InvalidRequest when a reference names a revision number, which means nothing in another
    tenant, and TooLarge."""
    files = {_file(member): member.source for member in closure.members}
    manifest = manifest_of(closure).encode()
    if len(manifest) > PACKAGE_MANIFEST_BYTES:
        raise too_large("the manifest is too large", limit=PACKAGE_MANIFEST_BYTES, size=len(manifest))
    return _within(write_archive({MANIFEST: manifest, **files}))


def as_yaml(closure: Closure) -> bytes:
    """A YAML stream of the sources, comments and all; what is referred to comes first."""
    return _within(b"".join(map(stream_part, closure.members)))


def as_json(closure: Closure) -> bytes:
    """``{package: {name, version}, documents: [...]}`` as canonical JSON; what is referred to comes first."""
    documents = [member.document for member in closure.members]
    return _within(
        dumps({"package": {"name": closure.root.name, "version": closure.root.label}, "documents": documents})
    )


def manifest_of(closure: Closure) -> Manifest:
    """Raises InvalidRequest when a reference names a revision number."""
    members = closure.members
    files = [File(_file(member), sha256(member.source), len(member.source)) for member in sorted(members, key=_file)]
    return Manifest(
        format=FORMAT,
        package=Root(closure.root.name, closure.root.label),
        files=tuple(files),
        definitions=tuple(_definition(member) for member in members),
        requires=Requires(
            needed_secrets({index: (member.document, member.secrets) for index, member in enumerate(members)}),
            tuple(sorted({key for member in members for key in member.env})),
        ),
    )


def _definition(member: Member) -> Definition:
    version = member.version
    for (reference, _), _ in member.refers_to:
        if by_revision(reference):
            raise InvalidRequest(
                f"the {version.kind} {version.name} refers to {reference}: a revision number counts here only",
                hint="Refer to a version label or a range, publish, and export again.",
                facts={"reference": reference},
            )
    return Definition(
        kind=version.kind,
        name=version.name,
        version=version.label,
        content_hash=version.content_hash,
        behaviour_hash=version.behaviour_hash,
        activate=member.needed,
        file=_file(member),
        refers_to=tuple(
            Pin(reference, target.kind, target.name, target.label, target.content_hash)
            for (reference, _), target in member.refers_to
        ),
        secrets=member.secrets,
        env=member.env,
    )


def _file(member: Member) -> str:
    version = member.version
    return entry_of(version.kind, version.name, version.label, media=version.media, content_hash=version.content_hash)


def _within(data: bytes) -> bytes:
    if len(data) > PACKAGE_BYTES:
        raise too_large("the export is too large", limit=PACKAGE_BYTES, size=len(data))
    return data
