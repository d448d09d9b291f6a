"""What is around an attempt may break or be given nonsense; the execution goes on to an end."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.driver.guards import _circuit_open, host_of
from millrace.engine.breaker import Admitted, Breaker, Counts, Refused, admit, opened
from millrace.engine.plan import BreakerPolicy

from .runs import Local, Script, call

POLICY = BreakerPolicy("key~k", break_ms=30_000, ramp_ms=10_000)
NOW = 10_000_000


class Broken(Script):
    """Answers with something that is no outcome, so that judging it breaks."""

    async def run(self, attempt: Any) -> Any:
        return None


def test_a_defect_around_an_attempt_fails_its_task_and_not_the_driver() -> None:
    local = Local(Broken())
    body = local.finish(local.begin([call("a")]))
    assert ("failed", "driver-error") == (body["status"], body["error"]["code"])


@pytest.mark.parametrize("host", ["a" * 254, "b\u00fccher.example"])
def test_a_host_that_cannot_be_called_has_no_breaker(host: str) -> None:
    assert "" == host_of({"url": f"https://{host}/"})
    longest = "a" * 253
    assert ["a:443", f"{longest}:443"] == [host_of({"url": f"https://{name}/"}) for name in ("a", longest)]


@pytest.mark.parametrize("url", ["https://:8443/x", "https:///x", "https://", "//a:1/", "mailto:a@b"])
def test_a_call_without_a_name_or_a_port_goes_to_no_host(url: str) -> None:
    assert ("a:1" if url == "//a:1/" else "") == host_of({"url": url})


@pytest.mark.parametrize(
    ("retry_at", "wait", "again"),
    [
        (None, None, "until an operator closes it"),
        (NOW - 1, 0, "at the moment"),
        (NOW, 0, "at the moment"),
        (NOW + 7, 7, "at the moment"),
    ],
)
def test_a_refusal_says_when_to_come_again_or_that_an_operator_decides(
    retry_at: int | None, wait: int | None, again: str
) -> None:
    failure = _circuit_open("crm", Refused(retry_at, "breaker: open"), NOW)
    assert (wait, False) == (failure.retry_after_ms, failure.retryable)
    assert f"The attempt was not made: the circuit breaker crm does not let it through {again}." == failure.message


@pytest.mark.parametrize(("back_ms", "through"), [(0, False), (29_000, False), (30_001, True), (600_000, True)])
def test_a_clock_that_was_set_back_keeps_no_breaker_open_for_long(back_ms: int, through: bool) -> None:
    found = admit(
        opened(Breaker(), POLICY, now=NOW, counts=Counts(0, 5)), caller="a", now=NOW - back_ms, lease_until=NOW
    )
    assert through is isinstance(found, Admitted)


@pytest.mark.parametrize("ramp_ms", [0, 10_000])
def test_a_clock_that_was_set_back_keeps_no_ramp_for_long(ramp_ms: int) -> None:
    closed = Breaker("closed", 3, 3, since=NOW, ramp_ms=ramp_ms)
    found = [admit(closed, caller=str(n), now=NOW - 60_000, lease_until=NOW) for n in range(50)]
    assert not any(isinstance(one, Refused) for one in found)
