"""What must be added to a request at the last moment so that the service knows who calls.

A bearer token may expire, and a signature holds the time and the target, so both are made for each request and
belong to none of its copies: a redirect or a next page starts from the request without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from millrace.adapters.http.refusals import invalid
from millrace.adapters.http.signing import Signature
from millrace.adapters.http.tokens import Grant, Tokens
from millrace.adapters.http.transport import Request
from millrace.adapters.http.urls import parse_url
from millrace.ports.world import Clock
from millrace.spec.tasks.http_auth import HmacAuth, OAuth2Auth

M = TypeVar("M", bound=BaseModel)


class Authority(Protocol):
    """``carriers`` are the names, in lower case, of the headers that it adds and that nobody may see."""

    carriers: frozenset[str]

    async def authorize(self, request: Request) -> Request:
        """The request with proof. Raises Refused."""
        ...

    async def renew(self) -> bool:
        """After a 401: whether another proof is there now. At most once. Raises Refused."""
        ...


class Bearer:
    """The authority of `auth.oauth2`. ``learn`` is told each token before it is sent, so that it can be hidden."""

    carriers = frozenset({"authorization"})

    def __init__(self, tokens: Tokens, grant: Grant, learn: Callable[[str], None]) -> None:
        self._tokens = tokens
        self._grant = grant
        self._learn = learn
        self._token = ""
        self._renewed = False

    async def authorize(self, request: Request) -> Request:
        if not self._token:
            await self._get()
        return replace(request, headers=(*request.headers, ("Authorization", f"Bearer {self._token}")))

    async def renew(self) -> bool:
        if self._renewed:
            return False
        self._renewed = True
        await self._get()
        return True

    async def _get(self) -> None:
        self._token = await self._tokens.get(self._grant, refused=self._token)
        self._learn(self._token)


def authority_of(
    auth: dict[str, Any], *, tenant: str, tokens: Tokens, clock: Clock, learn: Callable[[str], None]
) -> Authority | None:
    """The authority that an auth block with its secrets filled in asks for; None where its headers and parameters are
    fixed. Raises Refused when the block cannot be used."""
    if "hmac" in auth:
        return Signature(checked(HmacAuth, auth["hmac"], "auth.hmac"), clock)
    if "oauth2" not in auth:
        return None
    block = checked(OAuth2Auth, auth["oauth2"], "auth.oauth2")
    grant = Grant(
        tenant=tenant,
        url=parse_url(block.token_url),
        client_id=str(block.client_id),
        client_secret=str(block.client_secret),
        scope=block.scope or "",
        audience=block.audience or "",
        style=block.style,
    )
    return Bearer(tokens, grant, learn)


def checked(model: type[M], block: Any, where: str) -> M:
    """A rendered block as its model, with defaults. Templates may have given what the document could not show."""
    try:
        return model.model_validate(block)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join((where, *map(str, first["loc"])))
        refused = invalid("config", f"{place}: {first['msg'][:300]}", "Correct the task's request block.")
    raise refused
