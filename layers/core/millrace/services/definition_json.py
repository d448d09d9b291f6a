"""Definitions as JSON for the outside: times in RFC 3339, hashes in hex, nothing of the store's layout."""

from __future__ import annotations

from typing import Any

from millrace.services.times import rfc3339
from millrace.store.definitions import Head, Version


def head_json(head: Head) -> dict[str, Any]:
    """One entry of a list of definitions."""
    return {
        "name": head.name,
        "namespace": head.namespace,
        "latestVersion": head.latest_label,
        "latestRevision": head.latest,
        "activeVersion": head.active_label or None,
        "activeRevision": head.active or None,
        "description": head.side.description,
        "owner": head.side.owner,
        "tags": list(head.side.tags),
        "categories": list(head.side.categories),
        "labels": dict(head.side.labels),
        "updatedAt": rfc3339(head.updated_at),
        "updatedBy": head.updated_by,
    }


def version_json(version: Version) -> dict[str, Any]:
    """What is known of one version beside its text."""
    return {
        "name": version.name,
        "namespace": version.namespace,
        "version": version.label,
        "revision": version.revision,
        "contentHash": version.content_hash,
        "behaviourHash": version.behaviour_hash,
        "createdAt": rfc3339(version.created_at),
        "createdBy": version.created_by,
        "parentRevision": version.parent or None,
        "message": version.message,
    }
