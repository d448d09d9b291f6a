"""An http attempt without a network: the answer is given, everything around it is the real runner.

So a mocked answer meets the same checks of the request, success codes, response schema and body as a real one.
"""

from __future__ import annotations

import asyncio
from itertools import chain, repeat
from typing import Any

from millrace.adapters.http.filling import secret_names
from millrace.adapters.http.gate import Gate
from millrace.adapters.http.policy import Policy
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.requests import check_config
from millrace.adapters.http.runner import HttpRunner
from millrace.adapters.http.transport import Request, Response, Transport
from millrace.adapters.http.urls import Url, parse_url
from millrace.adapters.memory.secrets import MemorySecrets
from millrace.base.canonical import dumps
from millrace.base.ids import Millis
from millrace.ports.documents import TenantScope
from millrace.ports.rehearsal import Canned
from millrace.ports.runners import Attempt, Outcome, TaskFailed
from millrace.ports.secrets import Secret


def rehearse(attempt: Attempt, canned: Canned) -> Outcome | TaskFailed:
    """What the runner would make of ``attempt`` if the answer were ``canned``. Nothing leaves the process."""
    transport = _Canned(canned, _endpoint(attempt))
    runner = HttpRunner(transport, secrets=_named(attempt), clock=_Fixed(canned.now), seconds=transport.watch)
    with asyncio.Runner() as loop:
        try:
            return loop.run(runner.run(attempt))
        except TaskFailed as failed:
            return failed


class _Canned(Transport):
    """Answers every request alike, but for those to the token endpoint. It has no pool, so nothing is connected to."""

    def __init__(self, canned: Canned, endpoint: Url | None) -> None:
        super().__init__(Gate(Policy()))
        self._canned = canned
        self._endpoint = endpoint
        self._seconds = chain([0.0], repeat(canned.took / 1000))

    def watch(self) -> float:
        """What the answer took, in seconds, from the second look on: how fast this machine is does not count."""
        return next(self._seconds)

    async def send(self, request: Request) -> Response:
        if request.url == self._endpoint:
            token = dumps({"access_token": "{{oauth2}}", "token_type": "Bearer"})
            return Response(200, (("content-type", "application/json"),), token, len(token), "")
        canned = self._canned
        headers = {name.lower(): value for name, value in canned.headers.items()}
        body = _bytes(canned.body, headers)
        return Response(canned.status, tuple(headers.items()), body, len(body), "")


def _bytes(body: Any, headers: dict[str, str]) -> bytes:
    """The body on the wire: text as it is where the headers say a type that is not JSON, otherwise JSON."""
    if body is None and "content-type" not in headers:
        return b""
    kind = headers.setdefault("content-type", "application/json")
    if isinstance(body, str) and "json" not in kind.lower():
        return body.encode()
    return dumps(body)


def _endpoint(attempt: Attempt) -> Url | None:
    """Where the request would get its token."""
    auth = attempt.config.get("auth") if isinstance(attempt.config, dict) else None
    block = auth.get("oauth2") if isinstance(auth, dict) else None
    return _url(block.get("tokenUrl")) if isinstance(block, dict) else None


def _url(text: Any) -> Url | None:
    try:
        return parse_url(text) if isinstance(text, str) else None
    except Refused:
        return None  # the runner refuses it, in its own words


def _named(attempt: Attempt) -> MemorySecrets:
    """The secrets of the request: each has its own name as its value, and may be sent wherever the request goes."""
    secrets = MemorySecrets()
    try:
        config = check_config(attempt.config)
    except Refused:
        return secrets  # the runner refuses the request, in its own words
    hosts = tuple(url.host for url in (_url(config["url"]), _endpoint(attempt)) if url is not None)
    for name in secret_names(config):
        secrets.put(TenantScope(attempt.tenant), name, Secret(f"{{{{secrets.{name}}}}}", hosts))
    return secrets


class _Fixed:
    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> Millis:
        return Millis(self._now)
