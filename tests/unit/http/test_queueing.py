"""What waiting requests cost: the work a request makes does not grow with how many wait beside it."""

from __future__ import annotations

import asyncio
import sys

from millrace.adapters.http import Gate, Policy, Transport
from millrace.adapters.http.transport import Request
from millrace.adapters.http.urls import parse_url
from tests.unit.http.servers import Names, reply, serve

CONNECTIONS = 8


class Calls:
    """Counts calls of Python functions while inside ``with``: a measure of work that no busy machine changes."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: object, event: str, arg: object) -> None:
        self.count += event == "call"


async def work(requests: int) -> float:
    """Calls a request, when so many are sent at once over few connections."""
    async with serve(reply(b"ok")) as seen:
        policy = Policy(allow=frozenset({("a.test", seen.port)}))
        transport = Transport(Gate(policy, resolver=Names(a_test=[["127.0.0.1"]])), connections=CONNECTIONS)
        request = Request("GET", parse_url(f"http://a.test:{seen.port}/"), (), b"")
        await transport.send(request)
        with Calls() as calls:
            answers = await asyncio.gather(*(transport.send(request) for _ in range(requests)))
        await transport.aclose()
        assert {(200, b"ok")} == {(answer.status, answer.body) for answer in answers}
        assert requests + 1 == len(seen.requests)
        assert seen.connections <= CONNECTIONS
        return calls.count / requests


def test_a_request_costs_the_same_however_many_wait() -> None:
    few, many = asyncio.run(work(50)), asyncio.run(work(800))
    assert many < 1.3 * few
