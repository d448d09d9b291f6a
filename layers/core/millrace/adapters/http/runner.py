"""The runner of `http` tasks: one attempt is one request, its redirects, and what was seen of them.

Two attempts of one task carry the same Idempotency-Key, whatever happened in between; that is what makes the
platform's promise useful to the service called.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from millrace.adapters.http import filling
from millrace.adapters.http.contents import excerpt, read_body
from millrace.adapters.http.redaction import capture, capture_response, redact_headers, redact_url
from millrace.adapters.http.redirects import MOST, next_request
from millrace.adapters.http.refusals import Refused, blocked
from millrace.adapters.http.requests import READS, Defaults, build, check_config
from millrace.adapters.http.schemas import check_schema
from millrace.adapters.http.scrubbing import Scrubber
from millrace.adapters.http.statuses import is_success, status_failure
from millrace.adapters.http.transport import Request, Response, Transport
from millrace.ports.runners import Attempt, Effect, Exchange, Failure, Outcome, TaskFailed, Usage
from millrace.ports.secrets import Secret, Secrets
from millrace.ports.world import Clock

USER_AGENT: Final = "millrace"


@dataclass(slots=True)
class _Call:
    """What is known of an attempt so far; a failure at any point reports it."""

    started: float
    scrub: Scrubber = field(default_factory=lambda: Scrubber({}))
    bound: dict[str, Secret] = field(default_factory=dict)
    carriers: set[str] = field(default_factory=set)
    capture: bool = True
    request: Request | None = None
    response: Response | None = None
    redirects: list[str] = field(default_factory=list)
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    @property
    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)


class HttpRunner:
    """Performs http attempts through one transport. Bind one per process; it may serve several event loops.

    ``executor`` runs the blocking secret store (None: the loop's default). ``effect`` is the type's worst case;
    `effect_of` answers for one configuration.
    """

    type = "http"
    effect: Effect = "write"

    def __init__(
        self,
        transport: Transport,
        *,
        secrets: Secrets,
        clock: Clock,
        executor: Executor | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self._clock = clock
        self._executor = executor
        self._user_agent = user_agent

    @staticmethod
    def effect_of(config: Any) -> Effect:
        """``read`` for GET, HEAD and OPTIONS, otherwise ``write``; ``unknown`` when the method is not known."""
        method = config.get("method", "GET") if isinstance(config, dict) else None
        if not isinstance(method, str):
            return "unknown"
        return "read" if method.upper() in READS else "write"

    async def run(self, attempt: Attempt) -> Outcome:
        """Output: ``{status, headers, body, durationMs}``; header names in lower case, a repeated header joined by
        ", " (set-cookie by a line feed); body as `read_body` gives it. Raises TaskFailed and nothing else; neither
        the outcome nor the error holds a secret's value. ``deadline_ms`` bounds everything, body included."""
        call = _Call(time.monotonic())
        failure: Failure | None = None
        output: Any = None
        try:
            async with asyncio.timeout(attempt.deadline_ms / 1000):
                output = await self._perform(attempt, call)
        except Refused as refused:
            failure = refused.failure
        except TimeoutError:
            failure = Failure(
                "timeout", "total", f"no complete answer within {attempt.deadline_ms} ms", True, "Raise the timeout."
            )
        # Raised outside the handlers: an exception that was being handled would be kept as the context.
        usage, exchange = self._usage(call), self._exchange(call)
        if failure is not None:
            raise TaskFailed(_scrubbed(failure, call.scrub), usage=usage, exchange=exchange)
        return Outcome(output, usage, exchange)

    async def aclose(self) -> None:
        """Closes the connections of the running loop."""
        await self._transport.aclose()

    async def _perform(self, attempt: Attempt, call: _Call) -> Any:
        config = check_config(attempt.config)
        call.capture = config.get("capture") is not False
        call.bound = await self._fetch(attempt, config)
        values = {name: secret.value for name, secret in call.bound.items()}
        call.scrub = Scrubber(values)
        defaults = Defaults(self._user_agent, attempt.idempotency_key, attempt.traceparent)
        request, authorized = build(filling.fill(config, values), defaults)
        call.carriers = authorized | {
            name.lower() for name, value in config.get("headers", {}).items() if filling.secret_names(value)
        }
        call.request = request
        filling.check_host(call.bound, call.bound, request.url.host)
        response = await self._follow(request, call, _hops(config.get("followRedirects")))
        return self._read(response, config, call)

    async def _fetch(self, attempt: Attempt, config: dict[str, Any]) -> dict[str, Secret]:
        names = filling.secret_names(config)
        return await filling.fetch(self._secrets, attempt.tenant, names, self._executor) if names else {}

    async def _follow(self, request: Request, call: _Call, hops: int) -> Response:
        while True:
            call.request, call.response = request, None
            response = call.response = await self._send(request, call)
            call.bytes_in += response.wire_bytes
            following = next_request(request, response) if hops else None
            if following is None:
                return response
            call.redirects.append(str(following.url))
            if len(call.redirects) > hops:
                raise blocked("redirects", f"more than {hops} redirects", "Call the final address directly.")
            # A server that repeats a secret in Location, or a body sent again, must not carry it to a new host.
            if call.scrub:
                lines = [f"{name}: {value}" for name, value in following.headers]
                sent = "\n".join((str(following.url), *lines, "")).encode() + following.body
                filling.check_host(call.bound, call.scrub.names_in(sent), following.url.host)
            request = following

    async def _send(self, request: Request, call: _Call) -> Response:
        call.requests += 1
        call.bytes_out += len(request.body)
        try:
            return await self._transport.send(request)
        except Refused as refused:
            if refused.failure.kind == "blocked":  # nothing left the gate
                call.requests -= 1
                call.bytes_out -= len(request.body)
            raise

    def _read(self, response: Response, config: dict[str, Any], call: _Call) -> Any:
        content_type = _first(response.headers, "content-type")
        headers = _joined(response.headers)
        if not is_success(response.status, config.get("successCodes", ())):
            retry_after = headers.get("retry-after", "")
            details = {"status": response.status, "body": excerpt(response.body, content_type)}
            now = self._clock.now()
            raise Refused(status_failure(response.status, retry_after=retry_after, now_ms=now, details=details))
        body = read_body(response.body, content_type, scrub=call.scrub.raw)
        if config.get("responseSchema") is not None:
            check_schema(body, config["responseSchema"])
        output = {"status": response.status, "headers": headers, "body": body, "durationMs": call.elapsed_ms}
        return {**call.scrub.value(output), "durationMs": output["durationMs"], "status": response.status}

    def _usage(self, call: _Call) -> Usage:
        request = call.request
        return Usage(
            provider="http",
            host=request.url.host if request else "",
            operation=request.method if request else "",
            requests=call.requests,
            bytes_out=call.bytes_out,
            bytes_in=call.bytes_in,
            latency_ms=call.elapsed_ms,
        )

    def _exchange(self, call: _Call) -> Exchange | None:
        request, response, scrub = call.request, call.response, call.scrub
        if request is None or not call.capture or not call.requests:
            return None
        return Exchange(
            request.method,
            redact_url(str(request.url), scrub),
            redact_headers(request.headers, scrub, call.carriers),
            capture(request.body, scrub),
            response.status if response else 0,
            redact_headers(response.headers, scrub) if response else (),
            capture_response(response.body, _first(response.headers, "content-type"), scrub) if response else b"",
            tuple(redact_url(url, scrub) for url in call.redirects),
            response.peer if response else "",
        )


def _hops(wanted: Any) -> int:
    """How many redirects to follow: true means MOST, a number at most that many."""
    if wanted is True:
        return MOST
    return min(wanted, MOST) if isinstance(wanted, int) and wanted > 0 else 0


def _first(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")


def _joined(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        # The dates of set-cookie hold commas, so it is joined by what no header can hold.
        mark = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{mark}{value}" if name in joined else value
    return joined


def _scrubbed(failure: Failure, scrub: Scrubber) -> Failure:
    return replace(
        failure,
        message=scrub.text(failure.message),
        hint=scrub.text(failure.hint),
        details=scrub.value(failure.details),
    )
