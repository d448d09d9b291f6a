"""Security schemes as the auth block of an http task. Credentials become secrets named after their scheme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, field

from millrace.base.errors import InvalidRequest
from millrace.services.openapi.encoding import literal
from millrace.services.openapi.naming import fitted, slug
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import Document, mapping, sequence
from millrace.services.openapi.servers import checked

_KEY: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z\[\]-]{1,128}")  # without braces, which would begin an expression

_SCOPE: Final = re.compile(r"[!#-\[\]-z|~]+")  # RFC 6749, 3.3, without braces


class Credentials(Struct):
    """``auth`` is the block, None without one; ``headers`` and ``query`` hold further keys as templates; ``secrets``
    maps each secret that must exist to the scheme it is for."""

    auth: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


def read_security(document: Document, notes: Notes, operation: dict[str, Any], where: str) -> Credentials:
    """The first requirement that can be met; none where the operation names none, or an empty one first."""
    own = "security" in operation
    requirements = sequence(operation.get("security") if own else document.value.get("security"))
    here = below(where, "security") if own else "/security"
    for index, requirement in enumerate(requirements):
        made = _meet(document, notes, mapping(requirement), below(here, index))
        if made is not None:
            if len(requirements) > 1:
                notes.add("security-choice", here, f"of {len(requirements)} ways to authenticate, {index + 1} is used")
            return made
    if requirements:
        notes.add("security", where, "no way to authenticate can be mapped; the task sends no credentials")
    return Credentials()


def _meet(document: Document, notes: Notes, requirement: dict[str, Any], where: str) -> Credentials | None:
    made = Credentials()
    for name, scopes in requirement.items():
        scheme = _scheme(document, name)
        secret = fitted(slug(name) or "secret", name)
        if not (_add(made, scheme, name, secret) or _add_client(made, scheme, name, secret, sequence(scopes))):
            kind = str(scheme.get("type", "unknown"))[:40]
            notes.add("security-scheme", below(where, name), f"a scheme of type {kind} is not mapped")
            return None
    return made


def _scheme(document: Document, name: str) -> dict[str, Any]:
    schemes = mapping(mapping(document.value.get("components")).get("securitySchemes"))
    try:
        return mapping(document.resolve(schemes.get(name)))
    except LookupError:
        return {}


def _add_client(made: Credentials, scheme: dict[str, Any], name: str, secret: str, scopes: Sequence[Any]) -> bool:
    """Whether client credentials of OAuth 2.0 were added: the one of its flows that needs nobody to agree."""
    flow = mapping(mapping(scheme.get("flows")).get("clientCredentials"))
    url = flow.get("tokenUrl")
    fit = all(isinstance(scope, str) and _SCOPE.fullmatch(scope) for scope in scopes)
    if scheme.get("type") != "oauth2" or made.auth is not None or not isinstance(url, str) or not fit:
        return False
    try:
        endpoint = checked(url) + ("/" if url.endswith("/") else "")
    except InvalidRequest:
        return False
    client, key = fitted(f"{secret}-client-id", name), fitted(f"{secret}-client-secret", name)
    made.auth = {
        "oauth2": {"tokenUrl": endpoint, "clientId": {"secretRef": client}, "clientSecret": {"secretRef": key}}
    }
    if scopes:
        made.auth["oauth2"]["scope"] = " ".join(scopes)
    made.secrets |= {client: name, key: name}
    return True


def _add(made: Credentials, scheme: dict[str, Any], name: str, secret: str) -> bool:
    """Whether the scheme was added. A task authenticates in one way; further keys go beside it."""
    kind = scheme.get("type")
    if kind == "http":
        way = str(scheme.get("scheme", "")).lower()
        if made.auth is not None or way not in ("bearer", "basic"):
            return False
        if way == "bearer":
            made.auth = {"bearer": {"secretRef": secret}}
            made.secrets[secret] = name
        else:
            user, password = fitted(f"{secret}-username", name), fitted(f"{secret}-password", name)
            made.auth = {"basic": {"username": {"secretRef": user}, "password": {"secretRef": password}}}
            made.secrets |= {user: name, password: name}
        return True
    place, key = scheme.get("in"), scheme.get("name")
    if kind != "apiKey" or not isinstance(key, str) or not _KEY.fullmatch(key):
        return False
    template = f"{{{{secrets[{literal(secret)}]}}}}"
    if place == "header" and made.auth is None:
        made.auth = {"apiKey": {"name": key, "in": "header", "value": {"secretRef": secret}}}
    elif place == "query" and made.auth is None:
        made.auth = {"apiKey": {"name": key, "in": "query", "value": {"secretRef": secret}}}
    elif place == "header":
        made.headers[key] = template
    elif place == "query":
        made.query[key] = template
    elif place == "cookie" and "Cookie" not in made.headers:
        made.headers["Cookie"] = f"{key}={template}"
    else:
        return False
    made.secrets[secret] = name
    return True
