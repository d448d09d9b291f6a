"""The configuration of an http task turned into bytes: the one place that decides how values are spelled."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct

from millrace.adapters.http.decoding import ACCEPT_ENCODING
from millrace.adapters.http.refusals import Refused, invalid
from millrace.adapters.http.transport import Request
from millrace.adapters.http.urls import parse_url
from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest
from millrace.base.headers import BAD_HEADER_VALUE, RESERVED_HEADERS
from millrace.expr.secrets import SecretRef, SecretText

METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
KEYS: Final = frozenset(
    {"method", "url", "headers", "query", "body", "form", "bodyText", "auth", "successCodes", "responseSchema"}
    | {"followRedirects", "capture", "paging"}
)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110, token
_WAYS: Final = ("bearer", "basic", "apiKey", "oauth2", "hmac")
_LATE: Final = frozenset({"oauth2", "hmac"})
"""Ways whose proof is made for each request, by its `Authority`."""


class Defaults(Struct, frozen=True):
    """Headers added unless the task sets them itself."""

    user_agent: str
    idempotency_key: str
    traceparent: str


def check_config(config: Any) -> dict[str, Any]:
    """The configuration with absent keys left out. Raises Refused on a wrong shape, or a secret in the URL."""
    if not isinstance(config, dict):
        raise _wrong("the request", "an object")
    config = {key: value for key, value in config.items() if value is not None}
    unknown = sorted(str(key) for key in config.keys() - KEYS)
    if unknown:
        raise invalid(
            "config", f"the request holds the unknown key {unknown[0]!r}", f"Known: {', '.join(sorted(KEYS))}."
        )
    if isinstance(config.get("url"), SecretText | SecretRef):
        raise invalid("secret-place", "a secret must not stand in the URL", "Move it to headers, auth, query or body.")
    if not isinstance(config.get("url"), str):
        raise _wrong("url", "a text")
    if not isinstance(config.get("method", "GET"), str) or config.get("method", "GET").upper() not in METHODS:
        raise _wrong("method", f"one of {', '.join(sorted(METHODS))}")
    for key in ("headers", "query", "form", "auth", "paging"):
        if not isinstance(config.get(key, {}), dict):
            raise _wrong(key, "an object")
    if sum(key in config for key in ("body", "form", "bodyText")) > 1:
        raise invalid("config", "the request has more than one of body, form and bodyText", "Keep one.")
    if "paging" in config and config.get("method", "GET").upper() != "GET":
        raise invalid("config", "pages are read with GET", "Leave method out, or take paging out.")
    return {**config, "auth": _with_references(config["auth"])} if "auth" in config else config


def build(config: dict[str, Any], defaults: Defaults) -> tuple[Request, set[str]]:
    """The request of a checked configuration whose secrets are filled in, and the names (lower case) of the
    headers that carry credentials. Raises Refused."""
    method = config.get("method", "GET").upper()
    query = list(_pairs(config.get("query", {}), "query"))
    headers = [(name, value) for name, value in _pairs(config.get("headers", {}), "headers")]
    carriers = _authorize(config.get("auth", {}), headers, query)
    body, content_type = _body(config)
    given = {name.lower() for name, _ in headers}
    for name, value in (
        ("Content-Type", content_type),
        ("Accept", "application/json, */*;q=0.8"),
        ("User-Agent", defaults.user_agent),
        ("Idempotency-Key", defaults.idempotency_key),
        ("traceparent", defaults.traceparent),
    ):
        if value and name.lower() not in given:
            headers.append((name, value))
    for name, value in headers:
        check_header(name, value)
    headers.append(("Accept-Encoding", ACCEPT_ENCODING))
    return Request(method, parse_url(_with_query(config["url"], query)), tuple(headers), body), carriers


def _with_references(auth: dict[str, Any]) -> dict[str, Any]:
    """``{secretRef: name}`` at any depth of the auth block becomes a reference."""
    if auth.keys() == {"secretRef"} and isinstance(auth["secretRef"], str):
        raise _wrong("auth", f"an object with one of {', '.join(_WAYS)}")

    def walk(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("secretRef"), str):
            rest = {key: walk(item) for key, item in value.items() if key != "secretRef"}
            reference = SecretText((SecretRef(value["secretRef"]),))
            return {**rest, "value": reference} if rest else reference
        return {key: walk(item) for key, item in value.items()}

    return {key: walk(value) for key, value in auth.items() if value is not None}


def _authorize(auth: dict[str, Any], headers: list[tuple[str, str]], query: list[tuple[str, str]]) -> set[str]:
    if not auth:
        return set()
    way, block = next(iter(auth.items()))
    if len(auth) > 1 or way not in _WAYS:
        raise _wrong("auth", f"an object with one of {', '.join(_WAYS)}")
    if way in _LATE:
        return set()
    if way == "bearer":
        token = block.get("token", block.get("value")) if isinstance(block, dict) else block
        headers.append(("Authorization", f"Bearer {_text(token, 'auth.bearer')}"))
        return {"authorization"}
    if not isinstance(block, dict):
        raise _wrong(f"auth.{way}", "an object")
    if way == "basic":
        user = _text(block.get("username"), "auth.basic.username")
        if ":" in user:
            raise invalid("config", "auth.basic.username holds a colon, which basic authentication cannot carry")
        pair = f"{user}:{_text(block.get('password', block.get('value')), 'auth.basic.password')}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
        return {"authorization"}
    place, name, value = _api_key(block)
    (query if place == "query" else headers).append((name, value))
    return set() if place == "query" else {name.lower()}


def api_key_parameter(auth: dict[str, Any]) -> tuple[str, str] | None:
    """The query parameter of a key that goes into the query. Raises Refused when the block cannot be used."""
    block = auth.get("apiKey")
    place, name, value = _api_key(block) if isinstance(block, dict) else ("", "", "")
    return (name, value) if place == "query" else None


def _api_key(block: dict[str, Any]) -> tuple[str, str, str]:
    """Place, name and value."""
    value = _text(block.get("value"), "auth.apiKey.value")
    place = block.get("in") or ("query" if "query" in block else "header")
    name = block.get("name") or block.get("query") or block.get("header")
    if place not in ("header", "query") or not isinstance(name, str):
        raise _wrong("auth.apiKey", "an object with name, in (header or query) and secretRef")
    return place, name, value


def _body(config: dict[str, Any]) -> tuple[bytes, str]:
    if "form" in config:
        return urlencode(list(_pairs(config["form"], "form"))).encode(), "application/x-www-form-urlencoded"
    if "bodyText" in config:
        return _text(config["bodyText"], "bodyText").encode(), "text/plain; charset=utf-8"
    # A body of null is no body: a JSON null is sent with bodyText.
    if config.get("body") is None:
        return b"", ""
    try:
        return dumps(config["body"]), "application/json"
    except InvalidRequest as error:
        raise invalid("config", f"the body cannot be sent: {error.message}", error.hint) from None


def _pairs(block: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """Names and values as text; a list gives its name several times, null leaves it out."""
    for name, value in block.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield str(name), _text(item, f"{where}.{name}")


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        if not value.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in value):
            raise _wrong(where, "a text without lone surrogates")
        return value
    if isinstance(value, bool | int | float):
        with contextlib.suppress(InvalidRequest):
            return dumps(value).decode()
    raise _wrong(where, "a text, a finite number of at most 38 digits, or a boolean")


def _with_query(url: str, query: list[tuple[str, str]]) -> str:
    if not query:
        return url
    base = url.split("#", 1)[0]
    mark = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return base + mark + urlencode(query)


def check_header(name: str, value: str) -> None:
    """Raises Refused unless this is a header that a task may send."""
    if not _NAME.fullmatch(name):
        raise invalid("header", f"{name[:80]!a} is not a header name", "Use letters, digits and hyphens.")
    if name.lower() in RESERVED_HEADERS:
        raise invalid("header", f"the header {name} is set by the platform", "Remove it.")
    if BAD_HEADER_VALUE.search(value):
        raise invalid("header", f"the value of the header {name} holds a control character", "Remove line breaks.")


def _wrong(where: str, what: str) -> Refused:
    return invalid("config", f"{where} of an http request must be {what}", "Correct the task's request block.")
