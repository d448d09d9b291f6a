"""The manifest: what a package holds, what each part refers to, and what it needs where it is imported.

It is one canonical JSON text, so a signature over its bytes covers every file through its digest. It holds nothing of
the tenant it came from: no revision (a counter of that tenant), no time, no principal. That is why a package that is
imported into an empty tenant and exported again has the same bytes.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from millrace.base.canonical import dumps, parse_json
from millrace.services.packaging.refusals import refused, shown

FORMAT: Final = "millrace-package/1"


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Keys are camelCase and all of them are required."""


class File(_Record, frozen=True):
    """One file: its place in the archive, hex SHA-256 and size in bytes."""

    path: str
    sha256: str
    size: int


class Pin(_Record, frozen=True):
    """A reference as it is written, and the version it meant when the package was made."""

    ref: str
    kind: Literal["workflow", "task"]
    name: str
    version: str
    content_hash: str


class Definition(_Record, frozen=True):
    """One version. ``activate`` says whether the package needs it to be the active one: its root, and what is
    referred to without a version. ``secrets`` and ``env`` are names."""

    kind: Literal["workflow", "task"]
    name: str
    version: str
    content_hash: str
    behaviour_hash: str
    activate: bool
    file: str
    refers_to: tuple[Pin, ...]
    secrets: tuple[str, ...]
    env: tuple[str, ...]


class NeededSecret(_Record, frozen=True):
    """A secret by name, and the hosts it is sent to as far as they are written out; ``hosts_computed`` is true when
    the address of at least one call is only known when it runs."""

    name: str
    hosts: tuple[str, ...]
    hosts_computed: bool


class Requires(_Record, frozen=True):
    secrets: tuple[NeededSecret, ...]
    env: tuple[str, ...]


class Root(_Record, frozen=True):
    """The workflow that was exported."""

    name: str
    version: str


class Manifest(_Record, frozen=True):
    """``definitions`` are in the order in which they can be published."""

    format: str
    package: Root
    files: tuple[File, ...]
    definitions: tuple[Definition, ...]
    requires: Requires

    def encode(self) -> bytes:
        return dumps(msgspec.to_builtins(self))


def read_manifest(data: bytes) -> Manifest:
    """The manifest of a package. Raises InvalidRequest on another format, an unknown or missing key, or bytes that
    are not the canonical ones."""
    value: Any = parse_json(data)
    known = value.get("format") if isinstance(value, dict) else None
    if known != FORMAT:
        raise refused(f"its format is {shown(str(known))}, and this release reads {FORMAT}", hint="Export it again.")
    try:
        manifest = msgspec.convert(value, Manifest, strict=True)
    except msgspec.ValidationError as error:
        raise refused(f"its manifest does not fit: {str(error)[:200]}") from None
    if manifest.encode() != data:
        raise refused("its manifest is not canonical JSON")
    return manifest
