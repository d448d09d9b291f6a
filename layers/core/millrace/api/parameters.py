"""Query parameters and headers that several routes share, as annotated types."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Final, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query

from millrace.api import models, testing_models
from millrace.base.errors import InvalidRequest
from millrace.base.limits import PAGE_DEFAULT, PAGE_LIMIT, WAIT_CAP_S
from millrace.base.scalars import parse_duration

NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

Name = Annotated[str, Path(description="The name.", max_length=63, pattern=NAME_PATTERN)]
VersionPath = Annotated[str, Path(description="A label, rN, or latest.", max_length=128)]
ExecutionPath = Annotated[str, Path(description="The id.", pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]
TaskPathParameter = Annotated[str, Path(description="The path of the task, percent-encoded.", max_length=1500)]
SignalPath = Annotated[str, Path(description="The signal's name.", max_length=128)]
Limit = Annotated[int, Query(description="Items a page.", ge=1, le=PAGE_LIMIT)]
Cursor = Annotated[str | None, Query(description="The cursor of the page before.", max_length=2048)]
Activate = Annotated[bool, Query(description="Whether new starts get the version.")]
Message = Annotated[str, Query(description="Why it was published.", max_length=512)]
TasksShown = Annotated[
    Literal["some", "all"],
    Query(description="all for every task; otherwise long loops show what is not over, and the latest 500 others."),
]
ValuesShown = Annotated[
    Literal["some", "all"],
    Query(description="all for every value; otherwise those that together have at most 1 MiB."),
]
Wait = Annotated[str | None, Query(description="How long to wait, such as 10s; at most 20s.", max_length=32)]
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", description="The same key again gives the same answer, once done.")
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag that was read; another one is refused.", max_length=512)
]
VersionQuery = Annotated[str | None, Query(description="A label, a range, rN or latest.", max_length=128)]
Trace = Annotated[str | None, Header(alias="traceparent", description="W3C trace context.", max_length=128)]
After = Annotated[str, Query(description="Where to go on: `next` of the page before; -1 for all.", max_length=40)]
EventLimit = Annotated[int, Query(description="Events a page.", ge=1, le=1000)]
WorkflowFilter = Annotated[str | None, Query(description="Of this workflow.", max_length=63, pattern=NAME_PATTERN)]
VersionFilter = Annotated[str | None, Query(description="Of this version label.", max_length=128)]
StatusFilter = Annotated[str | None, Query(description="In this status.", max_length=32)]
LabelFilter = Annotated[str | None, Query(description="With this label, as name:value.", max_length=400)]
SubjectFilter = Annotated[str | None, Query(description="With this subject key.", max_length=256)]
TriggerFilter = Annotated[str | None, Query(description="Started by this trigger.", max_length=256)]
ReplayFilter = Annotated[str | None, Query(alias="replayOf", description="Replays of this one.", max_length=64)]
Instant = Annotated[
    str | None, Query(description="An instant in RFC 3339, such as 2026-01-31T10:00:00Z.", max_length=40)
]
ActivateBody = Annotated[models.ActivateRequest, Body()]
InputBody = Annotated[models.ValidateInputRequest, Body()]
StartBody = Annotated[models.StartRequest | None, Body()]
CancelBody = Annotated[models.CancelRequest | None, Body()]
SignalBody = Annotated[models.SignalRequest | None, Body()]
MessageBody = Annotated[models.MessageRequest | None, Body()]
DecisionBody = Annotated[models.DecisionRequest, Body()]
TestsBody = Annotated[testing_models.TestsRequest | None, Body()]
TestName = Annotated[str | None, Query(alias="name", description="The name of the test.", min_length=1, max_length=200)]
GraphFormat = Annotated[Literal["json", "mermaid"], Query(alias="format", description="json or mermaid.")]
ValidationFormat = Annotated[
    Literal["json", "sarif"],
    Query(alias="format", description="json, findings; sarif, a SARIF 2.1.0 log (application/sarif+json)."),
]
FileName = Annotated[str, Query(alias="file", description="The path that a SARIF log names.", max_length=512)]
ExportFormat = Annotated[
    Literal["yaml", "json", "package"],
    Query(alias="format", description="yaml, a stream of sources; json, canonical documents; package, an archive."),
]
ExportTarget = Annotated[
    Literal["asl"] | None, Query(alias="to", description="Another engine, in place of a format: asl, a state machine.")
]
DryRun = Annotated[bool, Query(alias="dryRun", description="Say what would happen, and write nothing.")]
OnConflict = Annotated[
    Literal["fail", "new-version", "skip"],
    Query(alias="onConflict", description="What to do when a version label names other content here."),
]
TrustedKey = Annotated[
    str | None,
    Query(alias="trustedKey", description="The Ed25519 public key, in hex, that must have signed.", max_length=64),
]
RequireSignature = Annotated[
    bool, Query(alias="requireSignature", description="Refuse unless trustedKey is given and has signed.")
]
Force = Annotated[bool, Query(description="Delete it although others refer to it; what starts then fails.")]
OpenApiSource = Annotated[
    str, Query(alias="source", description="A name for the API, by which its tasks are found again.", max_length=63)
]
OpenApiPrefix = Annotated[str, Query(alias="prefix", description="Begins the name of every task.", max_length=30)]
OpenApiServer = Annotated[
    str, Query(alias="server", description="The address to call instead of the document's servers.", max_length=2048)
]
OpenApiServerEnv = Annotated[
    str,
    Query(
        alias="serverEnv",
        description="A key of env; where an execution has it, its value is the address to call.",
        max_length=64,
    ),
]
OpenApiUrl = Annotated[
    str, Query(alias="url", description="Where the document is from; relative servers count from it.", max_length=2048)
]
CheckResponses = Annotated[
    bool, Query(alias="checkResponses", description="Fail an attempt whose answer does not fit the document.")
]
Overwrite = Annotated[bool, Query(description="Replace tasks that were edited since they were generated, too.")]
ImportSource = Annotated[
    Literal["asl", "kestra", "n8n", "conductor"] | None,
    Query(alias="from", description="The engine whose definition the body is; left out, the body is a package."),
]
ImportLimit = Annotated[int, Query(alias="limit", description="Tasks published by one request.", ge=1, le=2000)]
PAGE: Final = PAGE_DEFAULT
WAIT_CAP_MS: Final = WAIT_CAP_S * 1000
_CURSOR: Final = re.compile(r"[A-Za-z0-9_=-]+")


def wait_of(text: str | None) -> tuple[int, dict[str, str]]:
    """Milliseconds to wait, at most WAIT_CAP_S seconds, and the header that says so (RFC 7240). Raises
    InvalidRequest on what is no duration."""
    if text is None:
        return 0, {}
    try:
        wanted = parse_duration(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"wait: {error.message}", hint="Write a duration such as 10s.") from None
    wait = min(wanted, WAIT_CAP_MS)
    return wait, {"Preference-Applied": f"wait={wait / 1000:g}"}


def cursor_of(text: str | None) -> str | None:
    """A cursor's text, checked for form; the store checks that it belongs to the list."""
    if text is not None and not _CURSOR.fullmatch(text):
        raise _foreign()
    return text


def sealed(page: dict[str, Any]) -> dict[str, Any]:
    """A page whose cursor is a sort key, with the cursor made safe for an address."""
    inner = page["cursor"]
    return page | {"cursor": None if inner is None else base64.urlsafe_b64encode(inner.encode()).decode()}


def unsealed(text: str | None) -> str | None:
    """What `sealed` was given. Raises InvalidRequest on anything else."""
    if text is None:
        return None
    try:
        return base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise _foreign() from None


def _foreign() -> InvalidRequest:
    return InvalidRequest("the cursor is not one of ours", hint="Use the cursor of the page before, unchanged.")
