"""Import an OpenAPI document: a reusable task for each operation, and what changed since the import before.

Tasks are found again by the label that names their source, so the document need not be kept. Each task is published
by itself, through the use case that publishes any other; what is published already counts as unchanged, so an import
that ended early is gone on with by asking again. Removed operations are reported, and their tasks stay.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import dumps, parse_json
from millrace.base.errors import Conflict, InvalidRequest, TooLarge, UserError
from millrace.base.limits import IMPORTED_TASKS, KIB, OPENAPI_BYTES
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of
from millrace.services.openapi import Change, Conversion, Generated, Options, compare, operation_hash, read_openapi
from millrace.services.openapi.drift import RULES
from millrace.services.openapi.references import mapping
from millrace.services.openapi.report import Entry, Report
from millrace.services.openapi.tasks import ANNOTATION, HASH_LABEL, SOURCE_LABEL
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_task import publish_task
from millrace.store.definitions import Definitions, Head
from millrace.store.references import used_by

Progress = Callable[[int, int], None]
"""Called with how many operations have been judged and how many there are."""
LIMIT: Final = IMPORTED_TASKS
__all__ = ["LIMIT", "Options", "Order", "Progress", "import_openapi", "packed", "unpacked"]
_PAGE: Final = 500
_READABLE_BYTES: Final = 128 * KIB
_USERS: Final = 20
_ASKED: Final = 200  # breaking entries whose users are looked up: each is a query


class Order(Struct, frozen=True):
    """``limit`` bounds how many tasks one request publishes; ``overwrite`` also replaces tasks that were edited since
    they were generated; with ``activate`` new starts get the new versions."""

    options: Options = Options()
    dry_run: bool = False
    overwrite: bool = False
    activate: bool = True
    limit: int = LIMIT


def import_openapi(
    platform: Platform, caller: Caller, data: bytes, order: Order, *, progress: Progress | None = None
) -> dict[str, Any]:
    """The report of an import as JSON (see `millrace.services.openapi.report`). ``remaining`` tasks were not published
    because of the limit: ask again. ``data`` is the document, or ``{"packed": …}``, its gzip in base64.

    Raises InvalidRequest and TooLarge on a document that cannot be read; a task that cannot be published is an entry
    of the report.
    """
    conversion = Conversion(read_openapi(unpacked(data)), order.options)
    return _Import(platform, caller, conversion, order).run(progress)


def packed(data: bytes) -> bytes:
    """A document as a body for this use case, about a tenth of its size."""
    body = zlib.compressobj(6, zlib.DEFLATED, 31)
    return json.dumps({"packed": base64.b64encode(body.compress(data) + body.flush()).decode()}).encode()


def unpacked(data: bytes) -> bytes:
    """The document of a body. Raises InvalidRequest on what is not gzip, TooLarge past OPENAPI_BYTES."""
    if b'"packed"' not in data[:64]:
        return data
    body = mapping(parse_json(data))
    if body.keys() != {"packed"} or not isinstance(body["packed"], str):
        return data
    reader = zlib.decompressobj(31)
    try:
        found = reader.decompress(base64.b64decode(body["packed"], validate=True), OPENAPI_BYTES + 1)
    except (binascii.Error, zlib.error):
        raise InvalidRequest("packed is not gzip in base64", hint="Send the document as it is.") from None
    if len(found) > OPENAPI_BYTES:
        raise TooLarge(
            f"the OpenAPI document has more than {OPENAPI_BYTES} bytes",
            hint="Split it by paths, and import each part with its own source name.",
            facts={"limit": OPENAPI_BYTES, "size": len(found)},
        )
    if not reader.eof:
        raise InvalidRequest("packed ends early", hint="Send the document as it is.")
    return found


class _Import:
    def __init__(self, platform: Platform, caller: Caller, conversion: Conversion, order: Order) -> None:
        self._platform, self._caller = platform, caller
        self._conversion, self._order = conversion, order
        self._definitions = definitions_of(platform, caller)
        self._heads = _heads(self._definitions)
        self._report = Report()

    def run(self, progress: Progress | None) -> dict[str, Any]:
        titles: dict[str, str] = {}
        names: set[str] = set()
        for count, made in enumerate(self._conversion.tasks(), 1):
            titles[made.operation] = made.name
            names.add(made.name)
            self._report.secrets |= made.secrets
            self._report.add(self._entry(made))
            if progress is not None:
                progress(count, self._conversion.total)
        for name in sorted(self._heads.keys() - names):
            if self._is_ours(self._heads[name]):
                self._report.add(self._gone(name, titles))
        return self._report.to_json(self._conversion, dry_run=self._order.dry_run)

    def _is_ours(self, head: Head) -> bool:
        return head.side.labels.get(SOURCE_LABEL) == self._conversion.source

    def _entry(self, made: Generated) -> Entry:
        head = self._heads.get(made.name)
        entry = Entry(made.name, made.operation, "added")
        if head is None:
            self._publish(made, entry)
        elif not self._is_ours(head):
            entry.status = "conflict"
            entry.message = "another task has this name; give a prefix"
        elif head.side.labels.get(HASH_LABEL) == made.hash:
            entry.status = "unchanged"
        else:
            self._change(made, head, entry)
        return entry

    def _change(self, made: Generated, head: Head, entry: Entry) -> None:
        old = self._latest(head)
        entry.status = "changed"
        entry.changes = compare(old, made.document)
        self._users(entry)
        if operation_hash(old) != head.side.labels.get(HASH_LABEL) and not self._order.overwrite:
            entry.status = "edited"
            entry.message = "the task was edited since it was generated; it is replaced only with overwrite"
            return
        self._publish(made, entry)

    def _gone(self, name: str, titles: dict[str, str]) -> Entry:
        old = self._latest(self._heads[name])
        about = mapping(mapping(old["metadata"].get("annotations")).get(ANNOTATION))
        operation = str(about.get("operation", ""))
        renamed = titles.get(operation)
        rule = "operation-removed"
        if renamed is not None:
            rule = "operation-renamed"
        elif operation in self._conversion.titles():
            rule = "operation-refused"
        message = f"its operation is now the task {renamed}" if renamed else ""
        entry = Entry(name, operation, "removed", [Change(rule, True, "", RULES[rule])], message=message)
        self._users(entry)
        return entry

    def _users(self, entry: Entry) -> None:
        """Who is affected, for those changes that may affect anybody."""
        if entry.breaking and self._report.breaking < _ASKED:
            users = used_by(self._definitions, "taskRef", entry.name)
            entry.used_by = list(dict.fromkeys(f"{user.kind} {user.name}" for user in users))[:_USERS]

    def _latest(self, head: Head) -> dict[str, Any]:
        version = self._definitions.version("task", head.name, head.latest)
        found: dict[str, Any] = {} if version is None else self._definitions.document(version)
        return found

    def _publish(self, made: Generated, entry: Entry) -> None:
        if self._order.dry_run:
            return
        if self._report.published >= self._order.limit:
            self._report.remaining += 1
            return
        about = f"{self._conversion.title} {self._conversion.version}".strip()
        publication = Publication(
            source=_text(made.document),
            media="json",
            activate=self._order.activate,
            message=f"imported from {about}"[:512],
        )
        try:
            publish_task(self._platform, self._caller, publication)
        except (UserError, Conflict) as error:
            entry.status, entry.message = "failed", error.message[:300]
            return
        entry.written = True


def _heads(definitions: Definitions) -> dict[str, Head]:
    """The state of every task of the namespace, by name; those that were deleted may be made again."""
    found: dict[str, Head] = {}
    cursor: str | None = None
    while True:
        heads, cursor = definitions.heads("task", limit=_PAGE, cursor=cursor)
        found |= {head.name: head for head in heads if not head.deleted}
        if cursor is None:
            return found


def _text(document: dict[str, Any]) -> bytes:
    """A document for people to read, or when that is large, its canonical form."""
    text = json.dumps(document, ensure_ascii=False, indent=2).encode()
    return text if len(text) <= _READABLE_BYTES else dumps(document)
