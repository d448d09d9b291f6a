"""A page in somebody's browser cannot use the local server."""

from __future__ import annotations

import pytest

from millrace.local.guard import refusal

OWN = ("host", "localhost:8321")


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1:8321", "[::1]:8321", "LOCALHOST:8321"])
def test_loopback_names_with_the_right_port_are_served(host: str) -> None:
    assert refusal([("Host", host)], port=8321) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8321", "localhost", "localhost:80", "localhost:8321.evil.example",
     "localhost.evil.example:8321", "127.0.0.1.nip.io:8321", "0.0.0.0:8321", "", "localhost:8321, evil.example"],
)  # fmt: skip
def test_every_other_host_is_refused(host: str) -> None:
    assert "Host" in (refusal([("host", host)], port=8321) or "")


def test_a_request_without_host_or_with_two_is_refused() -> None:
    assert refusal([], port=8321)
    assert refusal([OWN, ("Host", "localhost:8321")], port=8321)


@pytest.mark.parametrize("origin", ["http://localhost:8321", "http://127.0.0.1:8321"])
def test_pages_of_the_server_itself_may_call_it(origin: str) -> None:
    assert refusal([OWN, ("origin", origin), ("sec-fetch-site", "same-origin")], port=8321) is None


@pytest.mark.parametrize(
    "origin", ["null", "https://localhost:8321", "http://localhost:3000", "http://evil.example", "file://", ""]
)
def test_pages_of_other_origins_may_not(origin: str) -> None:
    assert "origin" in (refusal([OWN, ("Origin", origin)], port=8321) or "")


@pytest.mark.parametrize(
    ("site", "served"), [("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False)]
)
def test_a_simple_request_that_another_site_makes_is_refused(site: str, served: bool) -> None:
    assert served == (refusal([OWN, ("Sec-Fetch-Site", site)], port=8321) is None)


def test_port_80_may_be_left_out() -> None:
    assert refusal([("host", "localhost")], port=80) is None
