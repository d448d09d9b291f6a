"""Access tokens of OAuth 2.0 client credentials (RFC 6749, 4.4): asked for once, shared by every attempt that may.

A token is kept until shortly before it expires. Attempts that need the same one at the same time wait for one call,
and that call belongs to none of them: an attempt that is cancelled takes nothing from the others.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlencode
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from millrace.adapters.http.decoding import ACCEPT_ENCODING
from millrace.adapters.http.refusals import Refused, timed_out, unreadable
from millrace.adapters.http.statuses import status_failure
from millrace.adapters.http.transport import Request, Response, Transport
from millrace.adapters.http.urls import Url
from millrace.base.canonical import parse_json
from millrace.base.errors import UserError
from millrace.base.limits import KIB
from millrace.ports.runners import Failure
from millrace.ports.world import Clock

TOKEN_S: Final = 30.0  # for the whole call
MARGIN_MS: Final = 60_000  # a token is not used in its last minute, or last tenth where it lives less than ten
UNSTATED_MS: Final = 5 * 60_000  # of a token whose endpoint does not say how long it lives
LONGEST_MS: Final = 24 * 60 * 60_000
KEPT: Final = 1_000
TOKEN_CHARS: Final = 16 * KIB

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_ERROR: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is asked for with. ``tenant`` and all the rest tell one token from another; the secret too, so
    that nobody who does not hold it is given a token got with it."""

    tenant: str
    url: Url
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str = ""
    audience: str = ""
    style: str = "header"

    @property
    def key(self) -> _Key:
        digest = hashlib.sha256(self.client_secret.encode()).hexdigest()
        return self.tenant, str(self.url), self.client_id, self.scope, self.audience, self.style, digest


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    until_ms: int


class Tokens:
    """The tokens of one process, for any number of event loops. A call of an endpoint may take ``wait_s`` seconds."""

    def __init__(self, transport: Transport, clock: Clock, *, user_agent: str, wait_s: float = TOKEN_S) -> None:
        self._transport = transport
        self._clock = clock
        self._user_agent = user_agent
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Token] = OrderedDict()
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, asyncio.Task[_Token | Failure]]] = (
            WeakKeyDictionary()
        )

    async def get(self, grant: Grant, *, refused: str = "") -> str:
        """A token that is not ``refused``, one that the service did not take. Raises Refused: what the gate and the
        network say, ``http``/status of the endpoint's answer, ``schema``/``token-response``, ``timeout``/``token``."""
        key = grant.key
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.value != refused and self._clock.now() < kept.until_ms:
                self._kept.move_to_end(key)
                return kept.value
        asking = self._asking.setdefault(asyncio.get_running_loop(), {})
        task = asking.get(key)
        if task is None:
            task = asking[key] = asyncio.get_running_loop().create_task(self._ask(grant))
            task.add_done_callback(lambda _: asking.pop(key, None))
        answer = await asyncio.shield(task)
        if isinstance(answer, Failure):
            raise Refused(answer)
        return answer.value

    async def aclose(self) -> None:
        """Stops the calls of the running loop."""
        tasks = list(self._asking.pop(asyncio.get_running_loop(), {}).values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, grant: Grant) -> _Token | Failure:
        """A failure is an answer, not an exception: several attempts raise it, each for itself."""
        try:
            async with asyncio.timeout(self._wait_s):
                response = await self._transport.send(_request(grant, self._user_agent))
            token = self._token(response)
        except TimeoutError:
            return timed_out("token", f"{grant.url.host} gave no token within {self._wait_s:g} s").failure
        except Refused as refused:
            return refused.failure
        with self._lock:
            self._kept[grant.key] = token
            self._kept.move_to_end(grant.key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return token

    def _token(self, response: Response) -> _Token:
        now = self._clock.now()
        if response.status != 200:
            raise Refused(_failure(response, now))
        held = _object(response.body)
        value, kind = held.get("access_token"), held.get("token_type", "bearer")
        if not isinstance(value, str) or len(value) > TOKEN_CHARS or not _TOKEN.fullmatch(value):
            raise _unusable("without a usable access_token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _unusable("with a token that is not a bearer token")
        return _Token(value, now + _life_ms(held.get("expires_in")))


def _request(grant: Grant, user_agent: str) -> Request:
    form = {"grant_type": "client_credentials", "scope": grant.scope, "audience": grant.audience}
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
    if grant.style == "body":
        form |= {"client_id": grant.client_id, "client_secret": grant.client_secret}
    else:
        # Both are form-encoded before they are joined (RFC 6749, 2.3.1), so either may hold a colon.
        pair = f"{quote_plus(grant.client_id)}:{quote_plus(grant.client_secret)}"
        headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
    headers += [("User-Agent", user_agent), ("Accept-Encoding", ACCEPT_ENCODING)]
    body = urlencode({name: value for name, value in form.items() if value}).encode()
    return Request("POST", grant.url, tuple(headers), body)


def _life_ms(stated: Any) -> int:
    """How long a token is kept. Some endpoints spell the seconds as a text."""
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) < 12:
        stated = int(stated)
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return UNSTATED_MS
    life = int(min(max(stated, 0) * 1000, LONGEST_MS))
    return life - min(MARGIN_MS, life // 10)


def _failure(response: Response, now: int) -> Failure:
    retry_after = next((value for name, value in response.headers if name == "retry-after"), "")
    try:
        error = str(_object(response.body).get("error", ""))
    except Refused:
        error = ""
    error = error if _ERROR.fullmatch(error) else ""
    details = {"endpoint": "token", "status": response.status, **({"error": error} if error else {})}
    failure = status_failure(response.status, retry_after=retry_after, now_ms=now, details=details)
    said = f"the token endpoint answered {response.status}{f' ({error})' if error else ''}"
    hint = "" if failure.retryable else "Check tokenUrl, clientId, clientSecret, scope and style."
    return replace(failure, message=said, hint=hint)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = parse_json(body)
    except UserError:
        value = None
    if not isinstance(value, dict):
        raise _unusable("with something else than a JSON object")
    return value


def _unusable(what: str) -> Refused:
    return unreadable("token-response", f"the token endpoint answered {what}", "See RFC 6749, section 5.1.")
