"""The answer of the routes that check a document: findings as our JSON, or as a SARIF log for code scanning."""

from __future__ import annotations

from typing import Any, Literal

from aws_lambda_powertools.event_handler.api_gateway import Response

from millrace.api.answers import answer
from millrace.api.current import caller, request
from millrace.api.operations import SARIF_TYPE
from millrace.services.platform import Platform
from millrace.services.validate_document import validate_as_sarif, validate_document
from millrace.store.definitions import Kind


def validated(platform: Platform, kind: Kind, shape: Literal["json", "sarif"], file: str) -> Response[Any]:
    """What is to be said of the document in the body of the request."""
    raw, media = request().raw, request().media
    if shape == "json":
        return answer(validate_document(platform, caller(), kind, raw, media))
    log = validate_as_sarif(platform, caller(), kind, raw, media, file=file)
    return answer(log, content_type=SARIF_TYPE)
