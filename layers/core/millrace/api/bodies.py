"""Bodies, read from the raw event through the canonical layer, before any other code sees them.

A body is JSON unless its media type says YAML. The form type counts as JSON, since curl claims it for every
``-d``; nothing is ever form-decoded, so no part of an input is dropped in silence.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from millrace.api.current import Media
from millrace.base.canonical import parse_json
from millrace.base.errors import InvalidRequest, TooLarge, UnsupportedMedia
from millrace.base.limits import REQUEST_BYTES

_JSON: Final = frozenset({"", "application/json", "application/x-www-form-urlencoded", "text/json", "text/plain"})
_PACKAGES: Final = frozenset({"application/zip", "application/octet-stream"})
_YAML: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


def media_of(content_type: str) -> Media:
    """``json`` or ``yaml``. Raises UnsupportedMedia on any other type, and on a charset that is not UTF-8."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedMedia(f"the charset {value.strip()[:40]!r} is not read here", hint="Send UTF-8.")
    if kind in _YAML or kind.endswith("+yaml"):
        return "yaml"
    if kind in _JSON or kind.endswith("+json"):
        return "json"
    raise UnsupportedMedia(
        f"the content type {kind[:80]!r} is not read here", hint="Send application/json or application/yaml."
    )


def check_package_type(content_type: str) -> None:
    """Raises UnsupportedMedia unless the type is one under which the gateway passes bytes on unchanged."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _PACKAGES:
        raise UnsupportedMedia(f"a package does not come as {kind[:80]!r}", hint="Send application/zip.")


def raw_body(event: Mapping[str, Any]) -> bytes:
    """The body as the client sent it. Raises TooLarge, and InvalidRequest on broken base64 or a lone surrogate."""
    body = event.get("body")
    if not body:
        return b""
    if not isinstance(body, str):
        raise InvalidRequest("the event's body is not text", hint="Send the request through the gateway.")
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except binascii.Error:
        raise InvalidRequest("the body is not valid base64", hint="Send the body as it is.") from None
    except UnicodeEncodeError:
        raise InvalidRequest("the body holds a lone surrogate", hint="Send UTF-8.") from None
    if len(data) > REQUEST_BYTES:
        raise TooLarge(
            f"the body is larger than {REQUEST_BYTES} bytes",
            hint="Send less at once, or a reference to the data.",
            facts={"limit": REQUEST_BYTES, "size": len(data)},
        )
    return data


def parsed(raw: bytes, media: Media) -> Any:
    """The value of a body, None when it is empty. Raises InvalidRequest with line and column, or TooLarge;
    InvalidDocument for YAML, which is limited as documents are."""
    if not raw.strip():
        return None
    if media == "yaml":
        from millrace.spec.source import parse_document

        return parse_document(raw, media="yaml").value
    try:
        return parse_json(raw)
    except InvalidRequest as error:
        if not raw.lstrip().startswith((b"{", b"[", b'"')):
            error.hint = "The body was read as JSON. For YAML send the header content-type: application/yaml."
        raise
