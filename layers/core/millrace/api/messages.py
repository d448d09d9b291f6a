"""Ids of messages to executions; apart from `starts`, since a function that only sends needs nothing of a start."""

from __future__ import annotations

from millrace.services.platform import Platform
from millrace.store.idempotency import checked_key


def message_id(platform: Platform, given: str | None, key: str | None) -> str:
    """The id of a message: the body's, else the Idempotency-Key, else a fresh one."""
    return given or (checked_key(key) if key is not None else platform.ids.new())
