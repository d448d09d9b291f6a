"""What events are made of: the base of them all, why something failed or was skipped, what an execution comes from."""

from __future__ import annotations

from typing import Any, Final

import msgspec

POOL: Final = "\0pool "
"""What the name of a pool follows where it stands among keys; no key holds it."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an attempt, a task or an execution failed. ``kind`` is what `retryOn` matches."""

    kind: str
    """What `retryOn` matches: timeout, network, http, schema and so on."""
    code: str
    """What exactly, such as an HTTP status."""
    message: str
    """A sentence for people."""
    retryable: bool = False
    """Whether another attempt is worth making by default."""
    hint: str = ""
    """What to do next."""
    details: dict[str, Any] = {}
    """Facts, by kind."""
    retry_after_ms: int | None = None
    """What the other side asked to wait."""


class Skip(msgspec.Struct, frozen=True):
    """Why a task was skipped, and where that began, through any number of hops."""

    reason: str
    """condition_false, upstream_skipped, upstream_failed, trigger_rule or concurrency_limit."""
    origin: str
    """The task where it began."""


class Manifest(msgspec.Struct, frozen=True):
    """One resolved dependency of the version that runs."""

    kind: str
    """workflow or task: the workflow itself stands first."""
    ref: str
    """The reference as the document writes it."""
    name: str
    """What it led to."""
    revision: int
    """The revision it was resolved to when the execution started."""
    version: str
    """The label of that revision."""
    hash: str
    """The content hash of that revision."""


class Parent(msgspec.Struct, frozen=True):
    execution: str
    """Its id."""
    path: str
    """Its task."""
    waits: bool = True
    """Whether it waits for the end."""


class SlotPool(msgspec.Struct, frozen=True, omit_defaults=True):
    """The pool that a place is taken from, and what its key may claim of it."""

    name: str
    """The pool, within the namespace."""
    limit: int
    """How many places it has."""
    min: int = 0
    """Below so many places, the key goes before every key that has its own."""
    weight: int = 1
    """Its part of what keys that wait share."""


class Slot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place under a concurrency key. ``status`` is wanted, held, shared (somebody around holds it) or denied."""

    key: str
    """What is limited."""
    limit: int = 1
    """How many places there are."""
    on_limit: str = "queue"
    """queue, cancel or fail."""
    at: int = 0
    """Since when it is wanted (ms)."""
    status: str = "wanted"
    """wanted, held, shared or denied."""
    pool: SlotPool | None = None
    """The pool that it is taken from, if it is."""

    @property
    def shared_as(self) -> str:
        """What those inside share: the key, or the pool, whatever their key there."""
        return self.key if self.pool is None else f"{POOL}{self.pool.name}"


class Source(msgspec.Struct, frozen=True):
    """The execution and log position that a replay or fork came from."""

    execution: str
    """Its id."""
    position: int
    """The position in its log."""


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, kw_only=True):
    at: int
    """When it happened, as milliseconds since the epoch."""
