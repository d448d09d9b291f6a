from __future__ import annotations

from typing import Any

import pytest

from millrace.api.identity import authenticate
from millrace.base.errors import Unauthenticated


def context(**parts: Any) -> dict[str, Any]:
    return {"requestContext": parts}


def test_the_claims_of_a_user_pool_name_tenant_principal_and_roles() -> None:
    claims = {"sub": "u-1", "custom:tenant": "acme", "cognito:groups": "[author viewer]"}
    caller = authenticate(context(authorizer={"claims": claims}), "eu-west-1")
    assert ("acme", "u-1", {"author", "viewer"}) == (caller.tenant, caller.principal, set(caller.roles))


def test_a_lambda_authorizer_names_them_in_its_context() -> None:
    event = context(authorizer={"principalId": "p", "tenant": "acme", "roles": ["operator", "root"]})
    caller = authenticate(event, "eu-west-1")
    assert ("acme", "p", {"operator"}) == (caller.tenant, caller.principal, set(caller.roles))


def test_an_iam_identity_administers_the_default_tenant() -> None:
    caller = authenticate(context(identity={"userArn": "arn:aws:iam::1:user/x"}), "eu-west-1")
    assert ("default", {"admin"}) == (caller.tenant, set(caller.roles))


def test_loopback_without_credentials_is_local_only_in_the_local_region() -> None:
    event = context(identity={"sourceIp": "127.0.0.1"})
    assert "local" == authenticate(event, "local").principal
    with pytest.raises(Unauthenticated):
        authenticate(event, "eu-west-1")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": None},
        context(identity={"sourceIp": "10.0.0.1"}),
        context(identity={"sourceIp": "127.0.0.1.evil"}),
        context(authorizer={"claims": {"sub": "u"}}),
        context(authorizer={"principalId": "p"}),
        context(authorizer={"principalId": "p", "tenant": "A#B"}),
        context(authorizer={"principalId": "p\n", "tenant": "acme"}),
        context(authorizer={"principalId": "p", "tenant": "acme\n"}),
        {"headers": {"X-Tenant": "acme", "Authorization": "Bearer x"}},
    ],
)
def test_what_the_gateway_does_not_vouch_for_is_nobody(event: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        authenticate(event, "local")


def test_an_identity_without_roles_has_none() -> None:
    assert frozenset() == authenticate(context(authorizer={"principalId": "p", "tenant": "acme"}), "x").roles
