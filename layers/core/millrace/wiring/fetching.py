"""One document fetched through the outbound gate, for commands that take an address instead of a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from millrace.base.errors import InvalidRequest, Unavailable
from millrace.wiring.settings import Settings

if TYPE_CHECKING:
    from millrace.adapters.http import Transport

TIMEOUT_S: Final = 60.0


def fetch_document(url: str, settings: Settings, *, limit: int) -> tuple[bytes, str]:
    """The body at ``url``, at most ``limit`` bytes, and the address it came from after redirects (no more than an http
    task follows).

    Raises InvalidRequest when the gate does not allow the call or the answer cannot be used, Unavailable when there is
    no answer.
    """
    from millrace.adapters.http import Caps, Gate, Policy, Transport, parse_allow_hosts
    from millrace.adapters.http.refusals import Refused

    gate = Gate(Policy(allow=parse_allow_hosts(",".join(settings.allow_hosts))))
    try:
        return asyncio.run(_fetch(url, Transport(gate, caps=Caps(response_bytes=limit))))
    except TimeoutError:
        raise Unavailable(
            f"no complete answer within {TIMEOUT_S:.0f} s", hint="Download it, and name a file."
        ) from None
    except Refused as refused:
        failure = refused.failure
        kind = Unavailable if failure.kind in ("network", "timeout") else InvalidRequest
        raise kind(f"{url[:200]}: {failure.message}", hint=failure.hint or "Download it, and name a file.") from None


async def _fetch(url: str, transport: Transport) -> tuple[bytes, str]:
    from millrace.adapters.http.decoding import ACCEPT_ENCODING
    from millrace.adapters.http.redirects import MOST, next_request
    from millrace.adapters.http.refusals import invalid
    from millrace.adapters.http.transport import Request
    from millrace.adapters.http.urls import parse_url

    accept = "application/json, application/yaml, */*;q=0.8"
    headers = (("Accept", accept), ("Accept-Encoding", ACCEPT_ENCODING), ("User-Agent", "millrace"))
    request = Request("GET", parse_url(url), headers, b"")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            for _ in range(MOST + 1):
                response = await transport.send(request)
                following = next_request(request, response)
                if following is None:
                    break
                request = following
            else:
                raise invalid("redirects", f"more than {MOST} redirects", "Name the final address.")
    finally:
        await transport.aclose()
    if response.status != 200:
        raise invalid("status", f"the server answered {response.status}", "Check the address.")
    return response.body, str(request.url)
