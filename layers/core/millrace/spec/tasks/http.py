"""The `http` type: one request through the outbound gate."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from millrace.spec.models.fields import Many, Model, refusal
from millrace.spec.registry import Effect, TaskType
from millrace.spec.tasks.http_auth import Auth, header_name
from millrace.spec.tasks.http_paging import Paging, paged_body

Scalar = str | int | float | bool


_STATUS: Final = re.compile(r"[1-5]xx|[1-5][0-9][0-9](-[1-5][0-9][0-9])?")


def _status(value: int | str) -> int | str:
    known = 100 <= value <= 599 if isinstance(value, int) else bool(_STATUS.fullmatch(value))
    if not known:
        raise refusal(f"{value!r} is not an HTTP status", 'Use a status like 201, a class like "2xx", or "200-204".')
    return value


def _headers(value: dict[str, Scalar]) -> dict[str, Scalar]:
    for name in value:
        header_name(name)
    return value


class HttpRequest(Model):
    """One HTTP request. Strings are templates, except for the method."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The method; GET, HEAD and OPTIONS count as reads, all others as writes."""
    url: str = Field(min_length=1, max_length=8192)
    """Where to: an absolute http or https URL."""
    headers: Annotated[dict[str, Scalar], AfterValidator(_headers)] = Field(default_factory=dict)
    """Headers by name."""
    query: dict[str, Any] = Field(default_factory=dict)
    """Query parameters by name; a list repeats its parameter, null leaves it out."""
    body: Any = None
    """A JSON body."""
    form: dict[str, Any] | None = None
    """A form body (application/x-www-form-urlencoded)."""
    body_text: str | None = None
    """A body as text; its content type is that of the headers, text/plain otherwise."""
    auth: Auth | None = None
    """How to authenticate."""
    success_codes: Annotated[tuple[Annotated[int | str, AfterValidator(_status)], ...], Many] = ("2xx",)
    """The statuses that count as success: 201, "2xx", "200-204"."""
    response_schema: dict[str, Any] | bool | None = None
    """A JSON Schema of the response body; another body fails the attempt."""
    follow_redirects: bool = False
    """Whether redirects are followed, each judged by the outbound gate."""
    paging: Paging | None = None
    """How the pages of a list are read one after the other, with GET."""
    capture: bool = True
    """Whether the exchange, redacted and capped, is kept with the execution."""

    @model_validator(mode="after")
    def _one_body(self) -> HttpRequest:
        given = [key for key in ("body", "form", "body_text") if key in self.model_fields_set]
        if len(given) > 1:
            raise refusal(f"a request has {len(given)} bodies", "Keep one of body, form and bodyText.")
        return self

    @model_validator(mode="after")
    def _pages_are_read(self) -> HttpRequest:
        if self.paging is None:
            return self
        if self.method != "GET":
            raise refusal(f"pages are read with GET, not with {self.method}", "Leave method out, or take paging out.")
        twice = sorted(name for name in (self.paging.param, self.paging.limit_param) if name in self.query)
        if twice and (self.paging.strategy != "cursor" or twice != [self.paging.param]):
            raise refusal(f"both paging and query set {twice[0]}", "Set it in paging, and take it out of query.")
        return self


def _effect(block: HttpRequest) -> Effect:
    return "read" if block.method in ("GET", "HEAD", "OPTIONS") else "write"


def _output_schema(block: HttpRequest) -> dict[str, Any]:
    if block.paging is not None:
        return _schema(paged_body(), {"pages": {"type": "integer"}})
    return _schema({} if block.response_schema is None else block.response_schema, {})


def _schema(body: dict[str, Any] | bool, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "body": body,
            **more,
            "durationMs": {"type": "integer"},
        },
        "required": ["status", "headers", "body", *more, "durationMs"],
        "additionalProperties": False,
    }


HTTP: Final = TaskType(
    name="http",
    effect=_effect,
    block="request",
    config=HttpRequest,
    output_schema=_output_schema,
    edge=True,
    price="request",
)
