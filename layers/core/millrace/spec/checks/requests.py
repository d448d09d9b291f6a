"""Checks of requests: addresses and parts that can never be sent, and credentials in plain sight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from millrace.base.headers import BAD_HEADER_VALUE, RESERVED_HEADERS
from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.shapes import json_type
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.http_auth import Auth, BasicAuth

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_AUTHORITY: Final = re.compile(r"[^/?#]*")
_PORT: Final = re.compile(r":([0-9]+)\Z")
_LAST_PORT: Final = 65_535
_PORT_DIGITS: Final = 5
_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "apikey", "x-auth-token", "x-access-token"}
)
_PARAMETERS: Final = frozenset({"access_token", "api_key", "apikey", "client_secret"})
"""Names by which credentials are commonly sent."""
_EXAMPLE: Final = "Write an absolute URL, such as https://api.example.com/orders."


def check_request(report: Report, block: HttpRequest, path: Path) -> None:
    """What can be known of a request before it is made."""
    _check_url(report, block.url, (*path, "url"))
    for key, given, known in (("headers", block.headers, _HEADERS), ("query", block.query, _PARAMETERS)):
        for name, value in given.items():
            if name.lower() in known and isinstance(value, str) and value and "{{" not in value:
                fix = "Store it as a secret and write {{secrets.its-name}}, or use the auth block."
                report.add("plain-secret", "a credential is written into the document", (*path, key, name), fix=fix)
    _check_headers(report, block.headers, (*path, "headers"))
    for key, fields in (("query", block.query), ("form", block.form or {})):
        for name, value in fields.items():
            _check_field(report, value, (*path, key, name))
    if block.auth is not None:
        if block.auth.oauth2 is not None:
            _check_url(report, block.auth.oauth2.token_url, (*path, "auth", "oauth2", "tokenUrl"))
        for inside, value in _credentials(block.auth):
            if isinstance(value, str) and "{{" not in value:
                where = (*path, "auth", *inside)
                fix = "Store it as a secret and write {secretRef: its-name}."
                report.add("plain-secret", "a credential is written into the document", where, fix=fix)


def _check_headers(report: Report, headers: Mapping[str, Any], path: Path) -> None:
    for name, value in headers.items():
        if name.lower() in RESERVED_HEADERS:
            report.add("bad-value", f"the header {name} is set by the platform", (*path, name), fix="Take it out.")
        elif isinstance(value, str) and BAD_HEADER_VALUE.search(_outside(value)):
            message = f"the value of the header {name} holds a control character"
            report.add("bad-value", message, (*path, name), fix="Take line breaks out.")


def _outside(text: str) -> str:
    """What of a text stands before its first expression."""
    return text.partition("{{")[0]


def _check_field(report: Report, value: Any, path: Path) -> None:
    """Fields of a query or form are scalars, or lists of these; what templates give is known when they are sent."""
    for at, one in enumerate(value) if isinstance(value, list) else [(None, value)]:
        if isinstance(one, dict | list):
            where = path if at is None else (*path, at)
            message = (
                f"{path[-2]}.{path[-1]} is {json_type(one)}, and takes text, a number, a boolean or a list of these"
            )
            report.add("bad-value", message, where, fix="Write its fields out, or send it as a text.")


def _check_url(report: Report, url: str, path: Path) -> None:
    """The text before the first expression has to begin an http or https URL (RFC 3986, section 3)."""
    literal, braces, _ = url.partition("{{")
    if braces and "://" not in literal and not literal.startswith(("/", ".")):
        if literal:
            report.add("bad-url", f"the URL begins with {literal[:40]!r}, not with https://", path, fix=_EXAMPLE)
        return
    scheme = _SCHEME.match(literal)
    if scheme is None:
        report.add("bad-url", "the URL is not absolute: it has no scheme", path, fix=_EXAMPLE)
        return
    if scheme[1].lower() not in ("http", "https"):
        report.add("bad-url", f"the scheme {scheme[1][:20]} cannot be called", path, fix="Use http or https.")
        return
    authority = _AUTHORITY.match(literal, scheme.end())
    host = "" if authority is None else authority[0]
    if "@" in host:
        message = "the URL holds a user name or password"
        report.add("bad-url", message, path, fix="Use the auth block with a secretRef.")
    elif not host.partition(":")[0] and not (braces and scheme.end() + len(host) == len(literal)):
        report.add("bad-url", "the URL names no host", path, fix=_EXAMPLE)
    elif (port := _PORT.search(host)) is not None and not (braces and scheme.end() + len(host) == len(literal)):
        number = port[1].lstrip("0")
        if not number or len(number) > _PORT_DIGITS or int(number) > _LAST_PORT:
            report.add("bad-url", f"{port[1][:20]} is not a port", path, fix=f"Use a number from 1 to {_LAST_PORT}.")


def _credentials(auth: Auth) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = [(("bearer",), auth.bearer)]
    if isinstance(auth.basic, BasicAuth):
        found.append((("basic", "password"), auth.basic.password))
    if auth.api_key is not None:
        found.append((("apiKey", "value"), auth.api_key.value))
    if auth.oauth2 is not None:
        found.append((("oauth2", "clientSecret"), auth.oauth2.client_secret))
    if auth.hmac is not None:
        found.append((("hmac", "key"), auth.hmac.key))
    return found
