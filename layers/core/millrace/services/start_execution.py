"""Starting: a version is chosen, the input checked against its schema, and a log begun, once per idempotency key."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, field

from millrace.base.canonical import sha256
from millrace.base.errors import InvalidInput, InvalidRequest, PreconditionFailed, StoreUnavailable
from millrace.driver.values import ValueCodec
from millrace.engine.events import SEMANTICS, ExecutionStarted, Manifest
from millrace.engine.values import Value
from millrace.ports.documents import Table
from millrace.services.caller import Caller
from millrace.services.create_execution import create_execution
from millrace.services.get_execution import get_execution
from millrace.services.platform import Platform
from millrace.services.resolve_version import Resolved, resolve_version
from millrace.spec import validate_input
from millrace.spec.models.document import CONTROL, labels_fault
from millrace.store.idempotency import Claim, checked_key, earlier_answer

SUBJECT_CHARS: Final = 256


class Start(Struct, frozen=True):
    """What a caller asks for. ``trigger`` is ``{kind, id, slot, delivery}`` as far as known; ``env`` the tenant's
    allow-listed values; ``subject_key`` names whom the data is about, empty for nobody; ``expect_hash`` is the content
    hash that the version must have, empty for any."""

    workflow: str
    input: Any
    version: str | None = None
    idempotency_key: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    trigger: dict[str, Any] = field(default_factory=lambda: {"kind": "api"})
    traceparent: str | None = None
    subject_key: str = ""
    expect_hash: str = ""


def start_execution(platform: Platform, caller: Caller, start: Start) -> dict[str, Any]:
    """The execution as JSON: a new one, or that of the earlier request with the same key.

    Raises NotFound, PreconditionFailed, InvalidInput, InvalidRequest, IdempotencyMismatch, StoreUnavailable.
    """
    if why := labels_fault(start.labels) or _subject_fault(start.subject_key):
        raise InvalidRequest(why[0], hint=why[1])
    claim = _claim(caller, start)
    earlier = _earlier(platform, caller, claim)
    if earlier is not None:
        return earlier
    resolved = resolved_start(platform, caller, start)
    value = checked_input(resolved, start.input)
    execution = platform.ids.new()
    codec = ValueCodec(execution)
    started = start_event(platform, caller, start, resolved, execution, codec.encode(value))
    short = resolved.short
    if not create_execution(platform, caller.scope, started, blobs=codec.blobs, claim=claim, short=short):
        earlier = _earlier(platform, caller, claim)
        if earlier is None:
            raise StoreUnavailable("The execution could not be started.", hint="Send the request again.")
        return earlier
    return get_execution(platform, caller, execution)


def resolved_start(platform: Platform, caller: Caller, start: Start) -> Resolved:
    """The version that a start gets. Raises NotFound, and PreconditionFailed when it is not the one that the caller
    has seen: something else was published or activated since."""
    resolved = resolve_version(
        platform, caller, start.workflow, version=start.version, subject_key=start.subject_key or None
    )
    if start.expect_hash and start.expect_hash != resolved.content_hash:
        raise PreconditionFailed(
            f"version {resolved.version} of the workflow {resolved.name} would start, which has another content hash "
            "than the one expected",
            hint="Read the workflow again, and start it with the contentHash that it has now.",
            facts={"contentHash": resolved.content_hash, "version": resolved.version, "revision": resolved.revision},
        )
    return resolved


def _subject_fault(key: str) -> tuple[str, str] | None:
    if len(key) > SUBJECT_CHARS:
        return f"the subject key has {len(key)} characters", f"Use at most {SUBJECT_CHARS}; an id is best."
    return ("the subject key holds a control character", "Take it out.") if CONTROL.search(key) else None


def _claim(caller: Caller, start: Start) -> Claim | None:
    if start.idempotency_key is None:
        return None
    body = [caller.namespace, start.workflow, start.version, start.input, start.labels, start.subject_key]
    body += [start.expect_hash] if start.expect_hash else []
    return Claim(Table.HISTORY, f"start {start.workflow}", checked_key(start.idempotency_key), sha256(body))


def _earlier(platform: Platform, caller: Caller, claim: Claim | None) -> dict[str, Any] | None:
    if claim is None:
        return None
    answer = earlier_answer(platform.documents, caller.scope, claim, now=platform.clock.now())
    return None if answer is None else get_execution(platform, caller, answer["id"])


def checked_input(resolved: Resolved, value: Any) -> Any:
    """The input with its schema's defaults filled in. Raises InvalidInput."""
    result = validate_input(resolved.workflow.spec.input, value)
    if not result.valid:
        raise InvalidInput(
            f"The input does not fit the schema of workflow {resolved.name!r}.",
            hint=result.suggested_prompt or "Correct the fields named here and send the request again.",
            facts=result.to_json(),
        )
    return result.value


def start_event(
    platform: Platform,
    caller: Caller,
    start: Start,
    resolved: Resolved,
    execution: str,
    value: Value,
    *,
    mode: str = "live",
) -> ExecutionStarted:
    """The event that an execution of this version begins with."""
    metadata = resolved.workflow.metadata
    return ExecutionStarted(
        at=platform.clock.now(),
        tenant=caller.tenant,
        namespace=caller.namespace,
        execution=execution,
        workflow=resolved.name,
        revision=resolved.revision,
        version=resolved.version,
        content_hash=resolved.content_hash,
        behaviour_hash=resolved.behaviour_hash,
        input=value,
        routing_reason=resolved.routing_reason,
        manifest=tuple(Manifest(**entry) for entry in resolved.manifest),
        principal=caller.principal,
        trigger=start.trigger,
        subject_key=start.subject_key,
        region=platform.region,
        labels={**metadata.labels, **start.labels},
        owner_team=metadata.owner or "",
        team=metadata.labels.get("team", ""),
        traceparent=start.traceparent or "",
        idempotency_key=start.idempotency_key or "",
        mode=mode,
        semantics=SEMANTICS,
        seed=platform.random.bits(53),
        env=dict(platform.env),
    )
