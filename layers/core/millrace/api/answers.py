"""Answers: canonical JSON out, with the headers that belong to it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler.api_gateway import Response

from millrace.api.current import request
from millrace.base.canonical import dumps
from millrace.base.errors import TooLarge

_LONGEST_ESCAPE: Final = 12
"""Bytes of JSON in ASCII for one character: two surrogates."""

_STAGE: Final = re.compile(r"/[A-Za-z0-9_-]{1,128}")


def answer(
    value: Any,
    *,
    status: int = 200,
    etag: str = "",
    location: str = "",
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> Response[Any]:
    """A JSON answer; 304 without a body when the request's If-None-Match names ``etag``."""
    out = dict(headers or {})
    if etag:
        out["ETag"] = quoted(etag)
        if status == 200 and request().method == "GET" and names(request().headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=out, body="")
    if location:
        out["Location"] = before_path(request().event) + location
    return Response(status_code=status, content_type=content_type, body=dumps(value).decode(), headers=out)


def before_path(event: Mapping[str, Any]) -> str:
    """What a client writes before our paths: the stage, where it comes by the gateway's own address (``/live``), and
    nothing where it comes by a domain's name or locally."""
    context = event.get("requestContext")
    whole = context.get("path") if isinstance(context, Mapping) else None
    path = event.get("path")
    if not isinstance(whole, str) or not isinstance(path, str) or not whole.endswith(path):
        return ""
    before = whole.removesuffix(path)
    return before if _STAGE.fullmatch(before) else ""


def text(value: str) -> Response[Any]:
    """An answer in plain text."""
    return Response(status_code=200, content_type="text/plain; charset=utf-8", body=value)


def download(data: bytes, media_type: str, file_name: str) -> Response[Any]:
    """A file. Text goes out as text; anything else in base64, which the gateway turns into bytes again."""
    binary = media_type == "application/zip"
    # Encoded here: the validation layer between this and the gateway takes bytes for UTF-8.
    body = base64.b64encode(data).decode() if binary else data.decode()
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    found: Response[Any] = Response(status_code=200, content_type=media_type, body=body, headers=headers)
    found.base64_encoded = binary
    return found


def check_size(result: Mapping[str, Any], limit: int) -> None:
    """Raises TooLarge for a result that is longer than ``limit`` bytes as the JSON that the runtime of a function makes
    of it. Lambda answers 502 in its place."""
    if len(result.get("body") or "") * _LONGEST_ESCAPE <= limit:
        return
    size = len(json.dumps(result))
    if size > limit:
        raise TooLarge(
            f"the answer has {size} bytes, and a function gives at most {limit}",
            hint="Ask for less at once: without tasks=all and values=all, or with a smaller limit.",
            facts={"limit": limit, "size": size},
        )


def quoted(etag: str) -> str:
    return f'"{etag}"'


def names(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match list names the tag; a weak mark does not matter (RFC 9110 §8.8.3.2)."""
    tags = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in tags or quoted(etag) in tags
