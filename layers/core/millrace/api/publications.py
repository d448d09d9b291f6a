"""Between the routes that publish and the use case: the document out of the request, the answer out of the result."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from millrace.api.access import API
from millrace.api.answers import answer
from millrace.api.current import request
from millrace.services.publish_definition import Publication, Published


def publication(*, activate: bool, message: str, key: str | None, if_match: str | None) -> Publication:
    """The current request's body as it was sent, with how it is to be published."""
    now = request()
    return Publication(
        source=now.raw,
        media=now.media,
        name=now.arguments.get("name"),
        activate=activate,
        message=message,
        if_match=if_match or "",
        idempotency_key=key,
        route=f"{now.method} {now.template}",
    )


def published(result: Published, plural: str) -> Response[Any]:
    """201 with the version's address, or 200 when the content was there already."""
    where = f"{API}/{plural}/{result.body['name']}/versions/r{result.body['revision']}"
    return answer(result.body, status=201 if result.created else 200, etag=result.etag, location=where)
