"""The runner of `http` tasks: one attempt is one request, or the pages of one list, with redirects, and what was seen.

Two attempts of one task carry the same Idempotency-Key, whatever happened in between; that is what makes the
platform's promise useful to the service called.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final

from millrace.adapters.http import filling
from millrace.adapters.http.authority import authority_of, checked
from millrace.adapters.http.call import Call, first_header, joined_headers
from millrace.adapters.http.contents import excerpt, read_body
from millrace.adapters.http.paging import Pager
from millrace.adapters.http.redirects import MOST, next_request
from millrace.adapters.http.refusals import Refused, blocked, invalid
from millrace.adapters.http.requests import READS, Defaults, api_key_parameter, build, check_config
from millrace.adapters.http.schemas import check_schema
from millrace.adapters.http.scrubbing import Scrubber
from millrace.adapters.http.statuses import is_success, status_failure
from millrace.adapters.http.tokens import Tokens
from millrace.adapters.http.transport import Request, Response, Transport
from millrace.adapters.http.urls import parse_url
from millrace.ports.runners import Attempt, Effect, Failure, Outcome, TaskFailed
from millrace.ports.secrets import Secret, Secrets
from millrace.ports.world import Clock
from millrace.spec.tasks.http_paging import Paging

USER_AGENT: Final = "millrace"
_UNAUTHORIZED: Final = 401


class HttpRunner:
    """Performs http attempts through one transport. Bind one per process; it may serve several event loops.

    ``executor`` runs the blocking secret store (None: the loop's default), ``seconds`` measures how long attempts take.
    ``effect`` is the type's worst case; `effect_of` answers for one configuration.
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
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self._clock = clock
        self._executor = executor
        self._user_agent = user_agent
        self._seconds = seconds
        self._tokens = Tokens(transport, clock, user_agent=user_agent)

    @staticmethod
    def effect_of(config: Any) -> Effect:
        """``read`` for GET, HEAD and OPTIONS, otherwise ``write``; ``unknown`` when the method is not known."""
        method = config.get("method", "GET") if isinstance(config, dict) else None
        if not isinstance(method, str):
            return "unknown"
        return "read" if method.upper() in READS else "write"

    async def run(self, attempt: Attempt) -> Outcome:
        """Output: ``{status, headers, body, durationMs}``; header names in lower case, a repeated header joined by
        ", " (set-cookie by a line feed); body as `read_body` gives it. With paging the body is ``{items, complete}``,
        status and headers are those of the last page, and ``pages`` counts them. Raises TaskFailed and nothing else;
        neither the outcome nor the error holds a secret's value. ``deadline_ms`` bounds everything, body included."""
        call = Call(self._seconds)
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
        usage, exchange = call.usage(), call.exchange()
        if failure is not None:
            raise TaskFailed(call.scrubbed(failure), usage=usage, exchange=exchange)
        return Outcome(output, usage, exchange)

    async def aclose(self) -> None:
        """Closes the connections of the running loop."""
        await self._tokens.aclose()
        await self._transport.aclose()

    async def _perform(self, attempt: Attempt, call: Call) -> Any:
        config = check_config(attempt.config)
        call.capture = config.get("capture") is not False
        call.bound = await self._fetch(attempt, config)
        values = {name: secret.value for name, secret in call.bound.items()}
        call.scrub = Scrubber(values)
        defaults = Defaults(self._user_agent, attempt.idempotency_key, attempt.traceparent)
        filled = filling.fill(config, values)
        request, authorized = build(filled, defaults)
        call.carriers = authorized | {
            name.lower() for name, value in config.get("headers", {}).items() if filling.secret_names(value)
        }
        call.request = request
        filling.check_host(call.bound, call.bound, request.url.host)
        self._authorize_by(attempt.tenant, config.get("auth", {}), filled.get("auth", {}), call)
        if "paging" in filled:
            rule = checked(Paging, filled["paging"], "paging")
            key, always = attempt.idempotency_key, api_key_parameter(filled.get("auth", {}))
            pager = Pager(rule, cap=self._transport.caps.response_bytes, key=key, always=always)
            return await self._read_pages(pager, request, filled, call)
        response = await self._follow(request, call, filled)
        return _output(response, self._body(response, filled, call), call)

    async def _fetch(self, attempt: Attempt, config: dict[str, Any]) -> dict[str, Secret]:
        names = filling.secret_names(config)
        return await filling.fetch(self._secrets, attempt.tenant, names, self._executor) if names else {}

    def _authorize_by(self, tenant: str, auth: dict[str, Any], filled: dict[str, Any], call: Call) -> None:
        """Makes what proves the call's requests. What goes to a token endpoint must be bound to it as well, and a token
        may go where the secret may that it is got with."""
        assert call.request is not None  # built before
        hosts: tuple[str, ...] = (call.request.url.host,)
        block = auth.get("oauth2")
        if isinstance(block, dict):
            endpoint = block.get("tokenUrl")
            if not isinstance(endpoint, str):
                raise invalid("secret-place", "auth.oauth2.tokenUrl must be a text without secrets", "Write the URL.")
            filling.check_host(call.bound, filling.secret_names(block), parse_url(endpoint).host)
            secrets = sorted(filling.secret_names(block.get("clientSecret")))
            hosts = call.bound[secrets[0]].hosts if secrets else hosts
        call.authority = authority_of(
            filled, tenant=tenant, tokens=self._tokens, clock=self._clock, learn=partial(call.learn, hosts=hosts)
        )
        if call.authority is not None:
            call.carriers |= call.authority.carriers

    async def _read_pages(self, pager: Pager, first: Request, config: dict[str, Any], call: Call) -> Any:
        page: Request | None = pager.begin(first)
        while page is not None:
            call.redirects.clear()
            filling.check_host(call.bound, call.bound, page.url.host)
            response = await self._follow(page, call, config)
            assert call.request is not None  # it was sent
            body = self._body(response, config, call)
            page = pager.take(body, url=call.request.url, response=response)
        whole = {"items": pager.items, "complete": pager.complete}
        return {**_output(response, whole, call), "pages": pager.pages}

    async def _follow(self, request: Request, call: Call, config: dict[str, Any]) -> Response:
        hops = _hops(config.get("followRedirects"))
        authority = call.authority
        while True:
            response = await self._send(request if authority is None else await authority.authorize(request), call)
            refused = response.status == _UNAUTHORIZED and not is_success(_UNAUTHORIZED, config.get("successCodes", ()))
            if authority is not None and refused and await authority.renew():
                response = await self._send(await authority.authorize(request), call)
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
            if following.url.origin != request.url.origin:
                authority = None
            request = following

    async def _send(self, request: Request, call: Call) -> Response:
        call.request, call.response = request, None
        call.requests += 1
        call.bytes_out += len(request.body)
        try:
            response = call.response = await self._transport.send(request)
        except Refused as refused:
            if refused.failure.kind == "blocked":  # nothing left the gate
                call.requests -= 1
                call.bytes_out -= len(request.body)
            raise
        call.bytes_in += response.wire_bytes
        return response

    def _body(self, response: Response, config: dict[str, Any], call: Call) -> Any:
        """The body of a response that counts as success. Raises Refused on any other."""
        content_type = first_header(response.headers, "content-type")
        if not is_success(response.status, config.get("successCodes", ())):
            retry_after = joined_headers(response.headers).get("retry-after", "")
            details = {"status": response.status, "body": excerpt(response.body, content_type)}
            now = self._clock.now()
            raise Refused(status_failure(response.status, retry_after=retry_after, now_ms=now, details=details))
        body = read_body(response.body, content_type, scrub=call.scrub.raw)
        if config.get("responseSchema") is not None:
            check_schema(body, config["responseSchema"])
        return body


def _output(response: Response, body: Any, call: Call) -> dict[str, Any]:
    shown = call.scrub.value({"headers": joined_headers(response.headers), "body": body})
    return {"status": response.status, **shown, "durationMs": call.elapsed_ms}


def _hops(wanted: Any) -> int:
    """How many redirects to follow: true means MOST, a number at most that many."""
    if wanted is True:
        return MOST
    return min(wanted, MOST) if isinstance(wanted, int) and wanted > 0 else 0
