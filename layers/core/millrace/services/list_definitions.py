"""List the definitions of a namespace, by name."""

from __future__ import annotations

from typing import Any

from millrace.services.caller import Caller
from millrace.services.definition_json import head_json
from millrace.services.find_version import definitions_of
from millrace.services.platform import Platform
from millrace.store.definitions import Kind


def list_definitions(
    platform: Platform, caller: Caller, kind: Kind, *, limit: int, cursor: str | None
) -> dict[str, Any]:
    """``{items, cursor}``; the cursor is None at the end, and a page may have fewer items than asked for, since what
    was deleted is left out. Raises InvalidRequest on a foreign cursor."""
    heads, following = definitions_of(platform, caller).heads(kind, limit=limit, cursor=cursor)
    return {"items": [head_json(head) for head in heads if not head.deleted], "cursor": following}
