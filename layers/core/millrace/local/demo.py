"""A small web service for the examples and the tests that kill the server: users, posts, orders, and trouble.

It answers from fixed data, remembers every call that would have had an effect together with its idempotency key,
and treats a repeated key as the same call, as a careful service does. Everything is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from millrace.local import demo_pages
from millrace.local.demo_access import Doors
from millrace.local.demo_data import INVENTORY, ORDERS, POSTS, USERS

PORT: Final = 8322
SLOWEST_MS: Final = 60_000
ECHO_BYTES: Final = 1024 * 1024


class Shop:
    """What changes while the service runs. ``attempts`` holds every effectful call in the order of arrival:
    ``{n, method, path, key, repeat}``; ``repeat`` tells that the key has done this before."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.attempts: list[dict[str, Any]] = []
        self.done: dict[tuple[str, str], dict[str, Any]] = {}
        self.failed: Counter[str] = Counter()
        self.seen: set[tuple[str, str]] = set()
        self.effects = 0

    def record(self, request: Request) -> dict[str, Any]:
        path, key = request.url.path, request.headers.get("idempotency-key", "")
        entry = {
            "n": len(self.attempts) + 1,
            "method": request.method,
            "path": path,
            "key": key,
            "repeat": bool(key) and (path, key) in self.seen,
        }
        self.seen.add((path, key))
        self.attempts.append(entry)
        return entry


async def _users(_: Request) -> Response:
    return JSONResponse(list(USERS.values()))


async def _user(request: Request) -> Response:
    return JSONResponse(_known(USERS, request.path_params["number"], "user"))


async def _posts(request: Request) -> Response:
    wanted = request.query_params.get("userId")
    return JSONResponse([post for post in POSTS if wanted is None or str(post["userId"]) == wanted])


async def _orders(request: Request) -> Response:
    wanted = request.query_params.get("userId")
    return JSONResponse([order for order in ORDERS.values() if wanted is None or str(order["userId"]) == wanted])


async def _order(request: Request) -> Response:
    return JSONResponse(_known(ORDERS, request.path_params["number"], "order"))


async def _charge(request: Request) -> Response:
    order = _known(ORDERS, request.path_params["number"], "order")
    return _once(request, "charged", {"orderId": order["id"], "amountCents": order["totalCents"]})


async def _ship(request: Request) -> Response:
    order = _known(ORDERS, request.path_params["number"], "order")
    return _once(request, "shipped", {"orderId": order["id"], "parcels": len(order["lines"])})


def _once(request: Request, status: str, facts: dict[str, Any]) -> Response:
    """Has its effect once per key: a repeated key gets the first answer again, with 200 instead of 201."""
    shop = _shop(request)
    entry = shop.record(request)
    once = (entry["path"], entry["key"])
    if entry["key"] and once in shop.done:
        return JSONResponse(shop.done[once])
    shop.effects += 1
    answer = {**facts, "status": status, "receipt": f"{status}-{shop.effects}"}
    shop.done[once] = answer
    return JSONResponse(answer, status_code=201)


async def _service(request: Request) -> Response:
    """One method of a service that does whatever it is asked to, for documents that call services by name."""
    service, method = request.path_params["service"], request.path_params["method"]
    params = await request.body()
    if len(params) > ECHO_BYTES:
        raise HTTPException(413, f"the body is larger than {ECHO_BYTES} bytes")
    try:
        given = json.loads(params) if params else {}
    except ValueError:
        raise HTTPException(400, "the body is not JSON") from None
    return _once(request, "done", {"service": service, "method": method, "params": given})


async def _inventory(request: Request) -> Response:
    return JSONResponse(_known(INVENTORY, request.path_params["sku"], "article"))


async def _flaky(request: Request) -> Response:
    """503 for the first ``fails`` calls of a ``key``, then 200; counts per key."""
    shop = _shop(request)
    fails, key = _number(request, "fails", 2, 1_000), request.query_params.get("key", "default")
    if request.method != "GET":
        shop.record(request)
    shop.failed[key] += 1
    calls = shop.failed[key]
    if calls <= fails:
        return JSONResponse({"error": "not yet", "call": calls}, status_code=503, headers={"retry-after": "0"})
    return JSONResponse({"ok": True, "key": key, "calls": calls})


async def _slow(request: Request) -> Response:
    wait = _number(request, "ms", 1_000, SLOWEST_MS)
    if request.method != "GET":
        _shop(request).record(request)
    await asyncio.sleep(wait / 1000)
    return JSONResponse({"ok": True, "waitedMs": wait})


async def _echo(request: Request) -> Response:
    """What came in. A JSON body comes back as a value, any other as text."""
    raw = await request.body()
    if len(raw) > ECHO_BYTES:
        raise HTTPException(413, f"the body is larger than {ECHO_BYTES} bytes")
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        _shop(request).record(request)
    body: Any = raw.decode("utf-8", "backslashreplace") if raw else None
    if raw and "json" in request.headers.get("content-type", ""):
        try:
            body = json.loads(raw)
        except ValueError:
            raise HTTPException(400, "the body is not JSON") from None
    return JSONResponse(
        {
            "method": request.method,
            "headers": dict(request.headers),
            "query": dict(request.query_params),
            "body": body,
        }
    )


async def _attempts(request: Request) -> Response:
    return JSONResponse(_shop(request).attempts)


async def _reset(request: Request) -> Response:
    _shop(request).reset()
    return Response(status_code=204)


async def _error(_: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "error")
    return JSONResponse({"error": detail}, status_code=status)


def _shop(request: Request) -> Shop:
    shop: Shop = request.app.state.shop
    return shop


def _known(table: dict[Any, dict[str, Any]], key: Any, what: str) -> dict[str, Any]:
    if key not in table:
        raise HTTPException(404, f"there is no {what} {key}")
    return table[key]


def _number(request: Request, name: str, otherwise: int, most: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
        raise HTTPException(400, f"{name} must be a whole number from 0 to {most}")
    return int(text)


def create_app() -> Starlette:
    """A fresh service; what it remembers lives as long as the application object (``app.state.shop``)."""
    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(
        routes=[
            Route("/users", _users),
            Route("/users/{number:int}", _user),
            Route("/posts", _posts),
            Route("/orders", _orders),
            Route("/orders/{number:int}", _order),
            Route("/orders/{number:int}/charge", _charge, methods=["POST"]),
            Route("/orders/{number:int}/ship", _ship, methods=["POST"]),
            Route("/inventory/{sku}", _inventory),
            Route("/services/{service}/{method}", _service, methods=["POST"]),
            Route("/flaky", _flaky, methods=["GET", "POST"]),
            Route("/slow", _slow, methods=["GET", "POST"]),
            Route("/echo", _echo, methods=every),
            *Doors().routes(),
            *demo_pages.routes(),
            Route("/_attempts", _attempts),
            Route("/_reset", _reset, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _error},
    )
    app.state.shop = Shop()
    return app


def main(host: str = "127.0.0.1", port: int = PORT) -> None:
    """Serves until interrupted."""
    import uvicorn

    uvicorn.run(create_app(), host=host, port=port, log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The demo service of Millrace.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args()
    main(chosen.host, chosen.port)
