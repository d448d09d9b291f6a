"""How an `http` task proves who it is: the `auth` block of its request."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from millrace.spec.models.fields import Many, Model, refusal

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
SIGNED_PARTS: Final = ("method", "host", "path", "query", "target", "timestamp", "body", "bodyHash")
MOST_PARTS: Final = 16


def header_name(value: str) -> str:
    """The name itself. Raises a refusal when it is none (RFC 9110, token)."""
    if not _HEADER.fullmatch(value):
        raise refusal(f"{value!r} is not a header name", "Use letters, digits and hyphens.")
    return value


HeaderName = Annotated[str, AfterValidator(header_name)]


class SecretRef(Model):
    """A secret of the tenant, by name; its value is never part of a document, a log or an output."""

    secret_ref: str = Field(min_length=1, max_length=256)
    """The name of the secret."""


Credential = SecretRef | str
"""A secret, or a template such as {{secrets.crm}}."""


class BasicAuth(Model):
    """User name and password (RFC 7617)."""

    username: Credential
    password: Credential


class ApiKeyAuth(Model):
    """A key in a header or a query parameter."""

    name: str = Field(min_length=1, max_length=128)
    """The name of the header or parameter."""
    value: Credential
    """The key."""
    in_: Literal["header", "query"] = Field(default="header", alias="in")
    """Where the key goes."""


class OAuth2Auth(Model):
    """A bearer token got with client credentials (RFC 6749, 4.4), kept until shortly before it expires."""

    token_url: str = Field(min_length=1, max_length=8192)
    """The token endpoint: an absolute http or https URL."""
    client_id: Credential
    """Who asks."""
    client_secret: Credential
    """What proves it; its hosts must cover the token endpoint and the service called."""
    scope: str | None = None
    """The scopes asked for, separated by spaces."""
    audience: str | None = None
    """The audience asked for, where the endpoint wants one."""
    style: Literal["header", "body"] = "header"
    """Whether id and secret go in a basic authorization header or in the form."""


def _part(value: str) -> str:
    if value.startswith("header:"):
        header_name(value.removeprefix("header:"))
    elif value not in SIGNED_PARTS:
        raise refusal(f"{value!r} cannot be signed", f"Use {', '.join(SIGNED_PARTS)} or header:NAME.")
    return value


def _format(value: str) -> str:
    unknown = next((name for name in _PLACE.findall(value) if name not in ("signature", "timestamp")), None)
    if unknown is not None or "{signature}" not in value:
        raise refusal(f"{value!r} does not say where the signature goes", "Write {signature}, and {timestamp} if sent.")
    return value


class HmacAuth(Model):
    """A signature over parts of the request with a shared secret (RFC 2104), computed anew for every request."""

    key: Credential
    """The shared secret."""
    key_encoding: Literal["text", "hex", "base64"] = "text"
    """How the secret spells the bytes of the key: as it is (UTF-8), or in hex or base64."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    """The hash, of the signature and of bodyHash."""
    signed: Annotated[
        tuple[Annotated[str, AfterValidator(_part)], ...], Many, Field(min_length=1, max_length=MOST_PARTS)
    ] = ("body",)
    """What is signed, in order: method, host, path, query, target, timestamp, body, bodyHash, header:NAME."""
    separator: str = Field(default="\n", max_length=16)
    """What stands between two parts."""
    header: HeaderName
    """The header that carries the signature."""
    format: Annotated[str, AfterValidator(_format)] = Field(default="{signature}", max_length=256)
    """The value of that header, with {signature} and {timestamp}."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is spelled."""
    timestamp_header: HeaderName | None = None
    """The header that carries the time of signing."""
    timestamp_format: Literal["seconds", "milliseconds", "iso"] = "seconds"
    """The time of signing, UTC: since 1970, or as 2026-01-31T09:00:00Z."""

    @model_validator(mode="after")
    def _time_is_sent(self) -> HmacAuth:
        sent = self.timestamp_header is not None or "{timestamp}" in self.format
        if "timestamp" in self.signed and not sent:
            fix = "Name a timestampHeader, or put {timestamp} into format."
            raise refusal("the timestamp is signed and not sent, so nobody can check the signature", fix)
        if self.timestamp_header is not None and self.timestamp_header.lower() == self.header.lower():
            raise refusal("header and timestampHeader are the same", "Use format to send both in one header.")
        return self


class Auth(Model):
    """Exactly one way to authenticate."""

    bearer: Credential | None = None
    """A bearer token (RFC 6750)."""
    basic: BasicAuth | None = None
    api_key: ApiKeyAuth | None = None
    oauth2: OAuth2Auth | None = None
    hmac: HmacAuth | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Auth:
        if len(self.model_fields_set) != 1:
            raise refusal(
                f"auth names {len(self.model_fields_set)} ways to authenticate",
                "Keep one: bearer, basic, apiKey, oauth2 or hmac.",
            )
        return self
