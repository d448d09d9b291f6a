"""What proving who calls costs an http attempt, and what a function costs, against an attempt without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from millrace.adapters.functions import LambdaRunner, LocalFunctions
from millrace.ports.runners import Attempt
from tests.unit.http.servers import Rig, reply_json, serve

ROUNDS = 5
CALLS = 200


async def _best(call: Callable[[], Awaitable[Any]]) -> float:
    """Microseconds of one call, of the best of some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        found.append((time.perf_counter() - began) / CALLS * 1e6)
    return min(found)


async def _http() -> dict[str, float]:
    endpoint = reply_json({"access_token": "a-token-of-the-bench", "token_type": "Bearer", "expires_in": 3600})
    service = reply_json({"ok": True, "rows": []})
    async with serve(endpoint) as tokens, serve(service) as seen, Rig(tokens.port, seen.port) as rig:
        rig.secret("key", "a-secret-of-the-bench", "a.test", "b.test")
        secret = {"secretRef": "key"}
        oauth2 = {"tokenUrl": f"http://b.test:{tokens.port}/", "clientId": "me", "clientSecret": secret}
        signed = ["method", "target", "timestamp", "bodyHash"]
        ways: dict[str, dict[str, Any]] = {
            "nothing": {},
            "bearer": {"auth": {"bearer": secret}},
            "oauth2, token kept": {"auth": {"oauth2": oauth2}},
            "hmac": {"auth": {"hmac": {"key": secret, "header": "X-S", "signed": signed, "timestampHeader": "X-T"}}},
            "paging, one page": {"paging": {"strategy": "link", "items": "rows"}},
        }
        found = {}
        for name, config in ways.items():
            whole = {"url": f"http://a.test:{seen.port}/x", **config}
            found[name] = await _best(partial(rig.run, whole))
        return found


async def _functions() -> tuple[float, float]:
    functions = LocalFunctions({"noop": "tests.conformance.functions.handlers:nothing"})
    runner = LambdaRunner(functions)
    attempt = Attempt("t", "e", "p", 1, "lambda", {"function": "noop", "payload": {"a": 1}}, {}, "k", 10_000)

    async def thread() -> None:
        await asyncio.to_thread(int)

    return await _best(lambda: runner.run(attempt)), await _best(thread)


def rows() -> list[dict[str, Any]]:
    """Per attempt in microseconds; the ratio is to the floor beside it."""
    http = asyncio.run(_http())
    floor = http.pop("nothing")
    ran, thread = asyncio.run(_functions())
    out = [_row(f"http attempt with {name}", us, "the same without", floor) for name, us in http.items()]
    return [*out, _row("lambda attempt of a local function", ran, "an empty call on a pool's thread", thread)]


def _row(name: str, us: float, floor: str, floor_us: float) -> dict[str, Any]:
    return {"name": name, "us": us, "floor": floor, "floor_us": floor_us, "ratio": us / floor_us}
