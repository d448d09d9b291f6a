"""The demo service, asked the way a workflow asks it: over HTTP, on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn

from millrace.local.demo import create_app
from millrace.local.demo_data import INVENTORY, ORDERS, POSTS, USERS


@contextlib.asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as opened:
        yield opened


def ask(*calls: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
    async def go() -> list[httpx.Response]:
        async with client() as opened:
            return [await opened.request(method, path, **more) for method, path, more in calls]

    return asyncio.run(go())


def get(path: str) -> httpx.Response:
    return ask(("GET", path, {}))[0]


def test_there_are_ten_users_with_name_and_address() -> None:
    users = get("/users").json()
    assert list(range(1, 11)) == [user["id"] for user in users]
    assert all(user["name"] and "@" in user["email"] for user in users)


def test_user_three_is_always_the_same_person() -> None:
    expected = {
        "id": 3,
        "name": "Carla Montferrat",
        "email": "carla@shop.example",
        "city": "Turin",
        "tier": "gold",
        "active": True,
    }
    assert expected == get("/users/3").json()


@pytest.mark.parametrize("path", ["/users/11", "/users/0", "/users/x", "/orders/21", "/inventory/none", "/nothing"])
def test_what_is_not_there_is_404_with_a_json_body(path: str) -> None:
    answer = get(path)
    assert 404 == answer.status_code
    assert ["error"] == list(answer.json())


def test_posts_can_be_asked_for_by_user() -> None:
    assert len(POSTS) == len(get("/posts").json())
    assert {3} == {post["userId"] for post in get("/posts?userId=3").json()}
    assert [] == get("/posts?userId=99").json()


def test_orders_add_up_and_name_known_goods_and_users() -> None:
    orders = get("/orders").json()
    assert list(ORDERS.values()) == orders == [get(f"/orders/{order['id']}").json() for order in orders]
    for order in orders:
        assert order["totalCents"] == sum(line["quantity"] * line["priceCents"] for line in order["lines"])
        assert {line["sku"] for line in order["lines"]} <= INVENTORY.keys()
        assert order["userId"] in USERS
    assert [order for order in orders if order["userId"] == 4] == get("/orders?userId=4").json()


def test_inventory_is_found_by_its_sku() -> None:
    assert INVENTORY["lamp"] == get("/inventory/lamp").json()


def test_a_repeated_key_charges_once() -> None:
    keyed = {"headers": {"idempotency-key": "k1"}}
    first, again, other, unkeyed, ship, seen = ask(
        ("POST", "/orders/7/charge", keyed),
        ("POST", "/orders/7/charge", keyed),
        ("POST", "/orders/7/charge", {"headers": {"idempotency-key": "k2"}}),
        ("POST", "/orders/7/charge", {}),
        ("POST", "/orders/7/ship", keyed),
        ("GET", "/_attempts", {}),
    )
    assert [201, 200, 201, 201, 201] == [answer.status_code for answer in (first, again, other, unkeyed, ship)]
    assert first.json() == again.json()
    assert ORDERS[7]["totalCents"] == first.json()["amountCents"]
    receipts = [answer.json()["receipt"] for answer in (first, other, unkeyed, ship)]
    assert ["charged-1", "charged-2", "charged-3", "shipped-4"] == receipts
    assert [
        ("POST", "/orders/7/charge", "k1", False),
        ("POST", "/orders/7/charge", "k1", True),
        ("POST", "/orders/7/charge", "k2", False),
        ("POST", "/orders/7/charge", "", False),
        ("POST", "/orders/7/ship", "k1", False),
    ] == [(hit["method"], hit["path"], hit["key"], hit["repeat"]) for hit in seen.json()]
    assert [1, 2, 3, 4, 5] == [hit["n"] for hit in seen.json()]


def test_reset_forgets_attempts_and_counts() -> None:
    answers = ask(
        ("POST", "/orders/1/ship", {"headers": {"idempotency-key": "k"}}),
        ("GET", "/flaky?fails=1", {}),
        ("POST", "/_reset", {}),
        ("GET", "/_attempts", {}),
        ("GET", "/flaky?fails=1", {}),
        ("POST", "/orders/1/ship", {"headers": {"idempotency-key": "k"}}),
    )
    assert [201, 503, 204, 200, 503, 201] == [answer.status_code for answer in answers]
    assert [] == answers[3].json()


def test_flaky_fails_as_often_as_asked_for_each_key() -> None:
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/flaky?fails=2&key={key}", {}) for key in ("a", "b", "a", "a", "b", "a")
    ]
    answers = ask(*calls, ("POST", "/flaky?fails=0", {}), ("GET", "/_attempts", {}))
    assert [503, 503, 503, 200, 503, 200, 200] == [answer.status_code for answer in answers[:-1]]
    assert "0" == answers[0].headers["retry-after"]
    assert {"ok": True, "key": "a", "calls": 3} == answers[3].json()
    assert ["/flaky"] == [hit["path"] for hit in answers[-1].json()]


def test_slow_waits_as_long_as_asked() -> None:
    slow, posted, seen = ask(
        ("GET", "/slow?ms=1", {}),
        ("POST", "/slow?ms=0", {"headers": {"idempotency-key": "s"}}),
        ("GET", "/_attempts", {}),
    )
    assert ({"ok": True, "waitedMs": 1}, 200) == (slow.json(), posted.status_code)
    assert [("/slow", "s")] == [(hit["path"], hit["key"]) for hit in seen.json()]


@pytest.mark.parametrize(
    "path",
    ["/slow?ms=-1", "/slow?ms=x", "/slow?ms=60001", "/slow?ms=１", "/flaky?fails=1e3", "/flaky?fails=9999999999"],
)
def test_a_wrong_number_is_400_and_says_which(path: str) -> None:
    answer = get(path)
    assert 400 == answer.status_code
    assert path[6 if "slow" in path else 7 :].split("=")[0] == answer.json()["error"].split(" ")[0]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_echo_gives_back_what_came(method: str) -> None:
    answer, seen = ask(
        (method, "/echo?a=1&b=x%20y", {"json": {"v": [1, None]}, "headers": {"x-one": "1"}}), ("GET", "/_attempts", {})
    )
    body = answer.json()
    assert (method, {"a": "1", "b": "x y"}, {"v": [1, None]}) == (body["method"], body["query"], body["body"])
    assert "1" == body["headers"]["x-one"]
    assert ([] if method in ("GET", "OPTIONS") else [method]) == [hit["method"] for hit in seen.json()]


def test_echo_takes_text_and_refuses_what_is_too_long_or_broken() -> None:
    text, empty, broken, long = ask(
        ("POST", "/echo", {"content": "é\xff".encode("latin-1")}),
        ("GET", "/echo", {}),
        ("POST", "/echo", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("POST", "/echo", {"content": b"x" * (1024 * 1024 + 1)}),
    )
    assert ("\\xe9\\xff", None) == (text.json()["body"], empty.json()["body"])
    assert (400, 413) == (broken.status_code, long.status_code)


def test_two_services_do_not_share_what_they_remember() -> None:
    one, two = create_app(), create_app()
    assert one.state.shop is not two.state.shop


@pytest.mark.e2e
def test_the_service_runs_alone() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "millrace.local.demo", "--port", str(port)])
    try:
        for _ in range(300):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/users/3", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        assert "Carla Montferrat" == json.loads(answer.content)["name"]
    finally:
        process.terminate()
        process.wait(20)


def test_the_runner_reaches_the_service_through_the_gate_when_it_is_allowed() -> None:
    from tests.unit.http.servers import KEY, Rig

    async def go() -> tuple[Any, list[Any]]:
        config = uvicorn.Config(create_app(), host="127.0.0.1", port=0, log_level="critical", ws="none")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with Rig(port) as rig:
            await rig.run({"method": "POST", "url": f"http://a.test:{port}/orders/2/charge"})
            outcome = await rig.run({"method": "POST", "url": f"http://a.test:{port}/orders/2/charge"})
            seen = await rig.run({"url": f"http://a.test:{port}/_attempts"})
        server.should_exit = True
        await task
        return outcome.output, [(hit["key"] == KEY, hit["repeat"]) for hit in seen.output["body"]]

    output, hits = asyncio.run(go())
    assert (200, "charged-1") == (output["status"], output["body"]["receipt"])
    assert [(True, False), (True, True)] == hits
