"""Every route with every role, and every tenant with another's data: generated from the tables, not written out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from millrace import wiring
from millrace.api.access import ACCESS, PUBLIC, ROLES, authorise
from millrace.base.errors import Forbidden
from millrace.services.caller import Caller
from tests.functions.apps import handle
from tests.functions.documents import task, workflow
from tests.functions.events import Who, body_of, status
from tests.functions.world import platform

PARTS = {
    "<name>": "hello",
    "<version>": "1.0.0",
    "<execution>": "0" * 26,
    "<signal>": "go",
    "<task>": "sign-off",
    "<breaker>": "key~k",
}
MATRIX = [(method, path, role) for method, path in sorted(ACCESS) for role in (*sorted(ROLES), "root", "")]


def address(path: str) -> str:
    for name, value in PARTS.items():
        path = path.replace(name, value)
    return path


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("method", "path", "role"), MATRIX)
def test_a_route_refuses_exactly_the_roles_that_the_table_does_not_name(method: str, path: str, role: str) -> None:
    result = handle(method, address(path), None if method == "GET" else {}, who=Who(roles=role))
    assert (role not in ACCESS[(method, path)]) is (status(result) == 403)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("method", "path"), sorted(ACCESS))
def test_a_stranger_gets_401_everywhere_but_on_public_paths(method: str, path: str) -> None:
    result = handle(method, address(path), None if method == "GET" else {}, who=None)
    assert ((method, path) in PUBLIC) is (status(result) != 401)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("suffix", ["/", "//", ";x", "%2f", ".json", "/configs", "?x=1", "/..", "%00", "\u00e9"])
def test_no_trick_with_a_path_gets_past_the_table(suffix: str) -> None:
    for method, path in sorted(ACCESS):
        result = handle(method, address(path) + suffix, None if method == "GET" else {}, who=Who(roles="viewer"))
        assert status(result) in (400, 403, 404, 405), (method, path)


def test_a_route_that_the_table_does_not_know_is_refused_to_everybody() -> None:
    with pytest.raises(Forbidden, match="nobody"):
        authorise(Caller(tenant="acme", principal="ann", roles=ROLES), "GET", "/api/v1/new")


NAMES = ("aa", "bb")
TENANTS = ("acme", "evil")


class TwoTenants(RuleBasedStateMachine):
    """What each tenant sees is what it wrote itself, after any order of writes by both."""

    @initialize()
    def begin(self) -> None:
        wiring.use(platform())
        self.model: dict[tuple[str, str, str], list[str]] = {}
        self.executions: dict[str, list[str]] = {tenant: [] for tenant in TENANTS}

    @rule(
        tenant=st.sampled_from(TENANTS),
        kind=st.sampled_from(["workflows", "tasks"]),
        name=st.sampled_from(NAMES),
        text=st.sampled_from(["x", "y", "z"]),
        inner=st.sampled_from([None, *TENANTS]),
    )
    def publish(self, tenant: str, kind: str, name: str, text: str, inner: str | None) -> None:
        make: Any = workflow if kind == "workflows" else task
        document = make(name, description=text)
        if inner is not None:
            document["metadata"]["tenant"] = inner
        result = handle("PUT", f"/api/v1/{kind}/{name}", document, who=Who(tenant=tenant))
        if inner is not None:
            assert 422 == status(result)
            return
        known = self.model.setdefault((tenant, kind, name), [])
        assert (200 if text in known else 201) == status(result)
        if text not in known:
            known.append(text)

    @rule(tenant=st.sampled_from(TENANTS), name=st.sampled_from(NAMES))
    def start(self, tenant: str, name: str) -> None:
        result = handle("POST", f"/api/v1/workflows/{name}/executions", {}, who=Who(tenant=tenant))
        if (tenant, "workflows", name) in self.model:
            assert 202 == status(result)
            self.executions[tenant].append(body_of(result)["id"])
        else:
            assert 404 == status(result)

    @rule(tenant=st.sampled_from(TENANTS), kind=st.sampled_from(["workflows", "tasks"]))
    def read(self, tenant: str, kind: str) -> None:
        who = Who(tenant=tenant)
        mine = {name: texts for (owner, k, name), texts in self.model.items() if (owner, k) == (tenant, kind)}
        listed = body_of(handle("GET", f"/api/v1/{kind}", who=who))["items"]
        assert {name: len(texts) for name, texts in mine.items()} == {d["name"]: d["latestRevision"] for d in listed}
        for name in NAMES:
            versions = handle("GET", f"/api/v1/{kind}/{name}/versions?limit=100", who=who)
            assert (200 if name in mine else 404) == status(versions)

    @rule(tenant=st.sampled_from(TENANTS))
    def read_executions(self, tenant: str) -> None:
        other = next(name for name in TENANTS if name != tenant)
        for identifier in self.executions[other][-2:]:
            for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/signals/go")):
                result = handle(method, f"/api/v1/executions/{identifier}{path}", who=Who(tenant=tenant))
                assert 404 == status(result)
        listed = body_of(handle("GET", "/api/v1/executions?limit=100", who=Who(tenant=tenant)))["items"]
        assert sorted(self.executions[tenant]) == sorted(one["id"] for one in listed)

    def teardown(self) -> None:
        wiring.use(None)


TwoTenants.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, database=None)
TestTwoTenants = TwoTenants.TestCase
