"""List the versions of one definition, newest first."""

from __future__ import annotations

from typing import Any

from millrace.services.caller import Caller
from millrace.services.definition_json import version_json
from millrace.services.find_version import definitions_of, find_head
from millrace.services.platform import Platform
from millrace.store.definitions import Kind


def list_versions(
    platform: Platform, caller: Caller, kind: Kind, name: str, *, limit: int, cursor: str | None
) -> dict[str, Any]:
    """``{items, cursor}``. Raises NotFound, and InvalidRequest on a foreign cursor."""
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, kind, name, deleted=True)
    versions, following = definitions.versions(kind, name, limit=limit, cursor=cursor)
    items = [version_json(version) | {"active": version.revision == head.active} for version in versions]
    return {"items": items, "cursor": following}
