"""Read one definition, or one version of it, with its document and the metadata that a caller chooses it by."""

from __future__ import annotations

from typing import Any

from millrace.services.caller import Caller
from millrace.services.definition_json import head_json, version_json
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.platform import Platform
from millrace.store.definitions import Definitions, Head, Kind, Version


def get_definition(platform: Platform, caller: Caller, kind: Kind, name: str) -> tuple[dict[str, Any], str]:
    """The active version (the latest while none is active) with the state of its name, and the ETag of that state.

    Raises NotFound.
    """
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, kind, name)
    version = find_version(definitions, head, None if head.active else "latest")
    return head_json(head) | _detail(definitions, head, version), str(head.etag)


def get_version(platform: Platform, caller: Caller, kind: Kind, name: str, selector: str) -> tuple[dict[str, Any], str]:
    """One version by label, range, ``rN`` or ``latest``, and an ETag that changes with its content or activation.

    Raises NotFound.
    """
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, kind, name, deleted=True)
    version = find_version(definitions, head, selector)
    active = version.revision == head.active
    return _detail(definitions, head, version), f"{version.content_hash[:32]}-{version.revision}-{int(active)}"


def _detail(definitions: Definitions, head: Head, version: Version) -> dict[str, Any]:
    document = definitions.document(version)
    spec = document["spec"]
    category = spec.get("category")
    return version_json(version) | {
        "active": version.revision == head.active,
        "input": spec.get("input", spec.get("inputSchema", {})),
        "examples": spec.get("examples", []),
        "description": spec.get("description", ""),
        "tags": spec.get("tags", []),
        "categories": spec.get("categories", [category] if category else []),
        "document": document,
        "source": definitions.source(version),
        "mediaType": f"application/{version.media}",
    }
