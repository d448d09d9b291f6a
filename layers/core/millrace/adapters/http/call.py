"""What is known of one attempt while it runs, and how it is told without telling a secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from millrace.adapters.http.authority import Authority
from millrace.adapters.http.redaction import capture, capture_response, redact_headers, redact_url
from millrace.adapters.http.scrubbing import Scrubber
from millrace.adapters.http.transport import Request, Response
from millrace.ports.runners import Exchange, Failure, Usage
from millrace.ports.secrets import Secret

LEARNT: Final = "access token"
"""How a token got for an attempt is called; no secret has a name with a space in it."""


class Call(Struct):
    """A failure at any point reports it. ``bound`` are the secrets in use, ``carriers`` the headers (lower case) that
    hold credentials, ``seconds`` measures how long it takes."""

    seconds: Callable[[], float] = time.monotonic
    started: float = 0.0
    scrub: Scrubber = field(default_factory=lambda: Scrubber({}))
    bound: dict[str, Secret] = field(default_factory=dict)
    carriers: set[str] = field(default_factory=set)
    authority: Authority | None = None
    capture: bool = True
    request: Request | None = None
    response: Response | None = None
    redirects: list[str] = field(default_factory=list)
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    def __post_init__(self) -> None:
        self.started = self.seconds()

    @property
    def elapsed_ms(self) -> int:
        return round((self.seconds() - self.started) * 1000)

    def learn(self, token: str, hosts: tuple[str, ...]) -> None:
        """Hide a token from here on, and let it go only where the secret that it was got with may go."""
        name = LEARNT if LEARNT not in self.bound else f"{LEARNT} renewed"
        self.bound[name] = Secret(token, hosts)
        self.scrub = Scrubber({**self.scrub.secrets, name: token})

    def usage(self) -> Usage:
        request = self.request
        return Usage(
            provider="http",
            host=request.url.host if request else "",
            operation=request.method if request else "",
            requests=self.requests,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            latency_ms=self.elapsed_ms,
        )

    def exchange(self) -> Exchange | None:
        request, response, scrub = self.request, self.response, self.scrub
        if request is None or not self.capture or not self.requests:
            return None
        content_type = first_header(response.headers, "content-type") if response else ""
        return Exchange(
            request.method,
            redact_url(str(request.url), scrub),
            redact_headers(request.headers, scrub, self.carriers),
            capture(request.body, scrub),
            response.status if response else 0,
            redact_headers(response.headers, scrub) if response else (),
            capture_response(response.body, content_type, scrub) if response else b"",
            tuple(redact_url(url, scrub) for url in self.redirects),
            response.peer if response else "",
        )

    def scrubbed(self, failure: Failure) -> Failure:
        scrub = self.scrub
        return replace(
            failure,
            message=scrub.text(failure.message),
            hint=scrub.text(failure.hint),
            details=scrub.value(failure.details),
        )


def first_header(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    return next((value for name, value in headers if name == wanted), "")


def joined_headers(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        # The dates of set-cookie hold commas, so it is joined by what no header can hold.
        mark = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{mark}{value}" if name in joined else value
    return joined
