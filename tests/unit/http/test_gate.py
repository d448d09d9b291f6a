"""The gate: one resolution, every answer judged, and a connection to nothing else."""

from __future__ import annotations

import asyncio

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http import Gate, Policy, Target, system_resolver
from millrace.adapters.http.addresses import judge_address
from millrace.adapters.http.refusals import Refused
from tests.unit.http.servers import Names, reply, serve
from tests.unit.http.test_addresses import FORBIDDEN, LOOPBACK, PRIVATE

HTTP = Policy()


def judged(names: Names, host: str = "a.test", port: int = 443, policy: Policy = HTTP) -> Target:
    return asyncio.run(Gate(policy, resolver=names).judge(host, port))


def refusal(names: Names, host: str = "a.test", port: int = 443, policy: Policy = HTTP) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        judged(names, host, port, policy)
    return caught.value.failure.kind, caught.value.failure.code


def test_a_name_with_public_addresses_is_resolved_once() -> None:
    names = Names(a_test=[["93.184.215.14", "2606:2800::1", "93.184.215.14"]])
    assert Target("93.184.215.14", 443, ("2606:2800::1",)) == judged(names)
    assert ["a.test"] == names.asked


def test_an_address_needs_no_resolver() -> None:
    names = Names()
    assert Target("8.8.8.8", 80) == judged(names, "8.8.8.8", 80)
    assert [] == names.asked


@pytest.mark.parametrize("answer", FORBIDDEN + PRIVATE + LOOPBACK)
def test_an_answer_that_is_not_public_is_refused(answer: str) -> None:
    assert ("blocked", "address") == refusal(Names(a_test=[[answer]]))


@pytest.mark.parametrize("answers", [["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "127.0.0.1"], ["8.8.8.8", "::1"]])
def test_one_forbidden_answer_refuses_the_whole_name(answers: list[str]) -> None:
    assert ("blocked", "address") == refusal(Names(a_test=[answers]))


def test_an_answer_that_is_no_address_is_refused() -> None:
    assert ("blocked", "address") == refusal(Names(a_test=[["localhost"]]))


def test_a_name_with_too_many_addresses_is_refused() -> None:
    assert ("blocked", "address") == refusal(Names(a_test=[[f"8.8.8.{n}" for n in range(33)]]))


def test_a_name_without_an_address_is_a_network_failure() -> None:
    assert ("network", "dns") == refusal(Names())
    assert ("network", "dns") == refusal(Names(a_test=[[]]))


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 9001, 81])
def test_a_port_outside_the_list_is_refused_before_resolving(port: int) -> None:
    names = Names(a_test=[["8.8.8.8"]])
    assert ("blocked", "port") == refusal(names, port=port)
    assert [] == names.asked


def test_an_allowed_service_may_be_private_and_on_its_own_port() -> None:
    policy = Policy(allow=frozenset({("a.test", 8322)}))
    for address in ["127.0.0.1", "10.1.2.3", "::1", "fd12::1"]:
        assert Target(address, 8322) == judged(Names(a_test=[[address]]), port=8322, policy=policy)


@pytest.mark.parametrize(("host", "port"), [("a.test", 8080), ("b.test", 8322), ("127.0.0.1", 8322)])
def test_the_allowed_list_matches_name_and_port_together(host: str, port: int) -> None:
    policy = Policy(allow=frozenset({("a.test", 8322)}))
    kind, _ = refusal(Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]]), host, port, policy)
    assert "blocked" == kind


@pytest.mark.parametrize("answer", FORBIDDEN)
def test_an_allowed_name_still_cannot_lead_to_metadata(answer: str) -> None:
    policy = Policy(allow=frozenset({("a.test", 443)}))
    assert ("blocked", "address") == refusal(Names(a_test=[[answer]]), policy=policy)


@given(st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1, max_size=6))
def test_whatever_the_resolver_says_only_judged_addresses_come_out(answers: list[object]) -> None:
    texts = [str(answer) for answer in answers]
    try:
        target = judged(Names(a_test=[texts]))
    except Refused as refused:
        assert "blocked" == refused.failure.kind
        assert any(judge_address(text).kind != "public" for text in texts)
    else:
        assert all(judge_address(text).kind == "public" for text in texts)
        assert {target.ip, *target.others} <= {str(judge_address(text).address) for text in texts}


def test_a_connection_goes_to_the_judged_address_even_if_the_name_changes() -> None:
    async def connect() -> tuple[list[str], tuple[str, int]]:
        async with serve(reply()) as seen:
            names = Names(a_test=[["127.0.0.1"], ["127.0.0.2"]])
            gate = Gate(Policy(allow=frozenset({("a.test", seen.port)})), resolver=names)
            stream = await gate.connect("a.test", seen.port)
            peer = stream.get_extra_info("server_addr")
            await stream.aclose()
            return names.asked, (peer[0], peer[1] - seen.port)

    assert (["a.test"], ("127.0.0.1", 0)) == asyncio.run(connect())


def test_the_next_judged_address_is_tried_when_one_does_not_answer() -> None:
    async def connect() -> str:
        async with serve(reply()) as seen:
            names = Names(a_test=[["127.0.0.7", "127.0.0.1"]])
            gate = Gate(Policy(allow=frozenset({("a.test", seen.port)})), resolver=names)
            stream = await gate.connect("a.test", seen.port, timeout=5)
            peer = stream.get_extra_info("server_addr")[0]
            await stream.aclose()
            return str(peer)

    assert "127.0.0.1" == asyncio.run(connect())


def test_a_resolver_that_hangs_ends_with_the_connect_timeout() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(httpcore.ConnectTimeout):
        asyncio.run(Gate(HTTP, resolver=hang).connect("a.test", 443, timeout=0.01))


def test_a_closed_port_is_a_connect_error() -> None:
    async def connect() -> None:
        async with serve(reply()) as seen:
            port = seen.port
        gate = Gate(Policy(allow=frozenset({("127.0.0.1", port)})))
        await gate.connect("127.0.0.1", port)

    with pytest.raises(httpcore.ConnectError):
        asyncio.run(connect())


def test_the_system_resolver_knows_the_loopback_name() -> None:
    assert {"127.0.0.1", "::1"} >= set(asyncio.run(system_resolver("localhost", 80))) != set()


def test_the_system_resolver_is_judged_like_any_other() -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(Gate(HTTP).judge("localhost", 80))
    assert "address" == caught.value.failure.code
