"""The doors of the demo service that want to know who calls: a token endpoint, a private list, a signed order.

Client, secret and key are written here because the service has nothing to protect.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
import time
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from millrace.local.demo_data import ORDERS

CLIENT: Final = "demo"
CLIENT_PROOF: Final = "demo-client-secret"
SIGNING_KEY: Final = "demo-signing-key"
LIFE_S: Final = 300
SKEW_S: Final = 300


class Doors:
    """``tokens`` are those given out, forgotten when the service ends."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.tokens: set[str] = set()

    async def token(self, request: Request) -> Response:
        """RFC 6749, 4.4, with id and secret in the header or in the form."""
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode("latin-1")).items()}
        given = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if not (given[0] == CLIENT and hmac.compare_digest(given[1].encode(), CLIENT_PROOF.encode())):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = f"demo-access-{next(self._numbers)}"
        self.tokens.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": LIFE_S, "scope": form.get("scope", "")}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def private(self, request: Request) -> Response:
        """The orders, for those who bring a token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            return JSONResponse({"error": "no token"}, status_code=401, headers={"www-authenticate": "Bearer"})
        return JSONResponse(list(ORDERS.values()))

    async def signed(self, request: Request) -> Response:
        """Takes an order whose ``x-signature`` is right and not older than five minutes: HMAC-SHA256 in hex over
        method, target, ``x-timestamp`` and the SHA-256 of the body, a line each."""
        body = await request.body()
        stamp = request.headers.get("x-timestamp", "")
        query = f"?{request.url.query}" if request.url.query else ""
        parts = (request.method, f"{request.url.path}{query}", stamp, hashlib.sha256(body).hexdigest())
        wanted = hmac.new(SIGNING_KEY.encode(), "\n".join(parts).encode(), "sha256").hexdigest()
        fresh = stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and abs(time.time() - int(stamp)) <= SKEW_S
        if not (fresh and hmac.compare_digest(wanted.encode(), request.headers.get("x-signature", "").encode())):
            return JSONResponse({"error": "the signature is not right"}, status_code=401)
        return JSONResponse({"accepted": True, "bytes": len(body)}, status_code=201)

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/private/orders", self.private),
            Route("/signed/orders", self.signed, methods=["POST"]),
        ]


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    try:
        user, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return None
    return (unquote_plus(user), unquote_plus(secret)) if scheme.lower() == "basic" and colon else None
