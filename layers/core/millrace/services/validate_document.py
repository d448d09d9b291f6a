"""Judge a document without publishing it, and without executing any part of it."""

from __future__ import annotations

from typing import Any

from millrace.services.caller import Caller
from millrace.services.checked_document import Media, check_document
from millrace.services.platform import Platform
from millrace.spec import behaviour_hash, content_hash, sarif
from millrace.store.definitions import Kind


def validate_document(platform: Platform, caller: Caller, kind: Kind, source: bytes, media: Media) -> dict[str, Any]:
    """``{valid, name, contentHash, behaviourHash, findings}``; the hashes are None where nothing could be read."""
    checked = check_document(platform, caller, kind, source, media)
    document = checked.document
    return {
        "valid": checked.valid,
        "name": document.metadata.name if document else None,
        "contentHash": content_hash(checked.value) if document else None,
        "behaviourHash": behaviour_hash(checked.value) if document else None,
        "findings": checked.findings_json(),
    }


def validate_as_sarif(
    platform: Platform, caller: Caller, kind: Kind, source: bytes, media: Media, *, file: str
) -> dict[str, Any]:
    """The same findings as a SARIF 2.1.0 log; ``file`` is the path that its results name."""
    return sarif([(file, check_document(platform, caller, kind, source, media).findings)])
