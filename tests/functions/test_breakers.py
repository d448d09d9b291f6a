"""The routes of circuit breakers: who sees what, and what an operator's change leaves behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from millrace.engine.breaker import Breaker, Counts, Probe, opened
from millrace.engine.plan import BreakerPolicy
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform
from millrace.store.breakers import breaker_write, counts_write, read_breaker
from tests.functions.apps import handle
from tests.functions.events import Who, body_of, status
from tests.functions.world import START

B = "/api/v1/breakers"
NAME = "host~api.example~443"
ACME = TenantScope("acme")
POLICY = BreakerPolicy(threshold=5, break_ms=30_000, probes=2, ramp_ms=10_000)


@pytest.fixture
def tripped(world: Platform) -> Platform:
    """A breaker that five failures have opened, and one failure more in the generation before."""
    stored = read_breaker(world.documents, ACME, "default", NAME)
    breaker = opened(Breaker(), POLICY, now=START, counts=Counts(0, 5))
    world.documents.write(ACME, [breaker_write("default", NAME, stored, breaker)])
    second = START // 1000
    counts = {(0, second): (0, 5), (1, second): (3, 2)}
    write = counts_write("default", NAME, counts, known=[], now_s=second, keep_s=60)
    world.documents.write(ACME, [write])
    return world


@pytest.mark.usefixtures("tripped")
def test_a_breaker_is_shown_with_its_state_counts_and_changes() -> None:
    found = body_of(handle("GET", f"{B}/{NAME}"))
    assert (NAME, "open", 1, 2, []) == (
        found["name"],
        found["state"],
        found["generation"],
        found["permittedProbes"],
        found["probes"],
    )
    assert {"successes": 3, "failures": 2, "windowMs": 60_000} == found["counts"]
    assert ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:50.000Z") == (found["since"], found["openUntil"])
    assert [("open", "millrace", "5 failures within 60000 ms")] == [
        (change["state"], change["by"], change["why"]) for change in found["changes"]
    ]
    assert [found] == body_of(handle("GET", B))["items"]


def test_a_probe_is_shown_with_its_lease(tripped: Platform) -> None:
    stored = read_breaker(tripped.documents, ACME, "default", NAME)
    probing = Breaker("halfOpen", 2, 2, START, probes=(Probe("e/a#1", START + 5_000),))
    tripped.documents.write(ACME, [breaker_write("default", NAME, stored, probing)])
    probe = {"attempt": "e/a#1", "leaseUntil": "2023-11-14T22:13:25.000Z", "succeeded": False}
    assert [probe] == body_of(handle("GET", f"{B}/{NAME}"))["probes"]


@pytest.mark.usefixtures("tripped")
def test_breakers_belong_to_a_tenant_and_a_namespace() -> None:
    assert 404 == status(handle("GET", f"{B}/{NAME}", who=Who(tenant="evil")))
    assert [] == body_of(handle("GET", B, who=Who(tenant="evil")))["items"]
    assert 404 == status(handle("GET", f"{B}/{NAME}?namespace=other"))
    assert [] == body_of(handle("GET", f"{B}?namespace=other"))["items"]


@pytest.mark.parametrize(("action", "state"), [("open", "forcedOpen"), ("close", "closed"), ("reset", "closed")])
def test_an_operator_changes_a_breaker_and_is_remembered(tripped: Platform, action: str, state: str) -> None:
    result = handle("POST", f"{B}/{NAME}/{action}", {"reason": "as agreed"}, who=Who(roles="operator"))
    found = body_of(result)
    assert (200, state, 2, "as agreed") == (
        status(result),
        found["state"],
        found["generation"],
        found["changes"][-1]["why"],
    )
    assert "ann" == found["changes"][-1]["by"]
    assert found == {**body_of(handle("GET", f"{B}/{NAME}"))}
    ramp = read_breaker(tripped.documents, ACME, "default", NAME).breaker.ramp_ms
    assert (0 if action == "reset" else 10_000) == ramp


@pytest.mark.usefixtures("world")
def test_a_breaker_can_be_opened_before_it_counted_anything() -> None:
    assert 404 == status(handle("GET", f"{B}/key~new"))
    assert "forcedOpen" == body_of(handle("POST", f"{B}/key~new/open"))["state"]
    assert "forcedOpen" == body_of(handle("GET", f"{B}/key~new"))["state"]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("name", ["hello", "host~", "disk~a", "key~a%20b", "key~" + "x" * 301, "key~%C3%A9"])
def test_what_is_no_name_of_a_breaker_is_refused(name: str) -> None:
    assert 400 == status(handle("GET", f"{B}/{name}"))
    assert 400 == status(handle("POST", f"{B}/{name}/open"))


@pytest.mark.usefixtures("world")
def test_a_change_takes_a_reason_and_nothing_else() -> None:
    assert 400 == status(handle("POST", f"{B}/key~a/open", {"why": "x"}))
    assert 405 == status(handle("POST", f"{B}/key~a", {}))


@pytest.mark.usefixtures("world")
def test_breakers_are_paged_by_name() -> None:
    for name in ("key~c", "key~a", "key~b"):
        handle("POST", f"{B}/{name}/open")
    first = body_of(handle("GET", f"{B}?limit=2"))
    rest = body_of(handle("GET", f"{B}?limit=2&cursor={first['cursor']}"))
    assert ["key~a", "key~b", "key~c"] == [one["name"] for one in first["items"] + rest["items"]]
    assert rest["cursor"] is None


def test_changes_at_one_moment_all_happen_in_some_order(world: Platform) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: handle("POST", f"{B}/key~a/open", {"reason": str(n)}), range(8)))
    assert [200] * 8 == [status(result) for result in results]
    changes = read_breaker(world.documents, ACME, "default", "key~a").breaker.changes
    assert {str(n) for n in range(8)} == {change.why for change in changes}
