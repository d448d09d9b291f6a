"""The doors of the demo service: they open for the right proof and for nothing else; and its pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import pytest

from millrace.local.demo_access import CLIENT, CLIENT_PROOF, SIGNING_KEY
from tests.unit.demo.test_demo import ask, get

GRANT = {"grant_type": "client_credentials"}


def basic(user: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"data": GRANT, "headers": basic(CLIENT, CLIENT_PROOF)}, 200),
        ({"data": {**GRANT, "client_id": CLIENT, "client_secret": CLIENT_PROOF}}, 200),
        ({"data": GRANT, "headers": basic(CLIENT, "other")}, 401),
        ({"data": GRANT, "headers": {"authorization": "Basic ???"}}, 401),
        ({"data": GRANT, "headers": {"authorization": "Bearer x"}}, 401),
        ({"data": GRANT}, 401),
        ({"headers": basic(CLIENT, CLIENT_PROOF)}, 400),
    ],
    ids=range(7),
)
def test_a_token_is_given_for_the_secret_alone(more: dict[str, Any], status: int) -> None:
    (answer,) = ask(("POST", "/oauth/token", more))
    assert status == answer.status_code
    assert ("access_token" in answer.json()) is (status == 200)


def test_the_private_list_wants_a_token_that_was_given() -> None:
    token, other, none, right = ask(
        ("POST", "/oauth/token", {"data": GRANT, "headers": basic(CLIENT, CLIENT_PROOF)}),
        ("GET", "/private/orders", {"headers": {"authorization": "Bearer made-up"}}),
        ("GET", "/private/orders", {}),
        ("GET", "/private/orders", {"headers": {"authorization": "Bearer demo-access-1"}}),
    )
    assert "demo-access-1" == token.json()["access_token"]
    assert [401, 401, 200] == [other.status_code, none.status_code, right.status_code]


def signed(body: bytes, *, stamp: str, key: str = SIGNING_KEY, path: str = "/signed/orders") -> dict[str, Any]:
    text = f"POST\n{path}\n{stamp}\n{hashlib.sha256(body).hexdigest()}"
    signature = hmac.new(key.encode(), text.encode(), "sha256").hexdigest()
    return {"content": body, "headers": {"x-timestamp": stamp, "x-signature": signature}}


def test_a_signed_order_is_taken_and_any_other_is_not() -> None:
    now = int(time.time())
    good = signed(b"{}", stamp=str(now))
    answers = ask(
        ("POST", "/signed/orders", good),
        ("POST", "/signed/orders?a=1", signed(b"{}", stamp=str(now), path="/signed/orders?a=1")),
        ("POST", "/signed/orders", {**good, "content": b"[]"}),
        ("POST", "/signed/orders?a=1", good),
        ("POST", "/signed/orders", signed(b"{}", stamp=str(now), key="other")),
        ("POST", "/signed/orders", signed(b"{}", stamp=str(now - 3_600))),
        ("POST", "/signed/orders", signed(b"{}", stamp="soon")),
        ("POST", "/signed/orders", {"content": b"{}"}),
    )
    assert [201, 201, 401, 401, 401, 401, 401, 401] == [answer.status_code for answer in answers]


def test_the_pages_of_each_list_end() -> None:
    assert 'rel="next"' in get("/pages/users?page=2").headers["link"]
    assert 'rel="next"' not in get("/pages/users?page=3").headers["link"]
    assert (8, 8) == (len(get("/pages/orders?limit=50").json()["data"]), get("/pages/orders").json()["meta"]["next"])
    assert None is get("/pages/orders?after=16").json()["meta"]["next"]
    last = get("/pages/posts?offset=28").json()
    assert (2, 30) == (len(last["posts"]), last["total"])
    assert [400, 400] == [get(f"/pages/{path}").status_code for path in ("users?page=x", "posts?offset=-1")]
