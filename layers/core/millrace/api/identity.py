"""Who asks, read from what the gateway vouches for and never from anything the client can write.

On AWS the gateway's authorizer (or its IAM check) puts the identity into ``requestContext``. Locally the gateway
serves loopback only, and a request from there without credentials is the principal ``local``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from millrace.api.access import ROLES
from millrace.base.errors import Unauthenticated
from millrace.services.caller import Caller

_TENANT: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PRINCIPAL: Final = re.compile(r"[\x21-\x7e]{1,256}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
LOCAL_REGION: Final = "local"


def authenticate(event: Mapping[str, Any], region: str) -> Caller:
    """The caller of an API Gateway event. Raises Unauthenticated when the gateway vouches for nobody.

    Read in this order: the claims of a user pool authorizer (``sub``, ``custom:tenant``, ``cognito:groups``), the
    context of a Lambda authorizer (``principalId``, ``tenant``, ``roles``), an IAM identity (``userArn``; such a
    caller may invoke the API by the account's own policy and is an administrator of tenant ``default``), and, in
    the region ``local`` only, a loopback source address.
    """
    context = _mapping(event.get("requestContext"))
    authorizer = _mapping(context.get("authorizer"))
    identity = _mapping(context.get("identity"))
    claims = _mapping(authorizer.get("claims"))
    if claims:
        return _caller(claims.get("custom:tenant"), claims.get("sub"), claims.get("cognito:groups"))
    if authorizer.get("principalId"):
        return _caller(authorizer.get("tenant"), authorizer.get("principalId"), authorizer.get("roles"))
    if identity.get("userArn"):
        return _caller("default", identity["userArn"], "admin")
    if region == LOCAL_REGION and identity.get("sourceIp") in _LOOPBACK:
        return Caller(tenant="default", principal="local", roles=frozenset({"admin"}))
    raise Unauthenticated(
        "the request carries no identity that is known here",
        hint="Sign in, or sign the request, and send it again.",
    )


def anonymous() -> Caller:
    """Nobody, of no tenant: for the paths that strangers may call."""
    return Caller(tenant="anonymous", principal="anonymous", roles=frozenset({"anonymous"}))


def _caller(tenant: Any, principal: Any, roles: Any) -> Caller:
    if not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
        raise Unauthenticated("the identity names no tenant", hint="Ask an administrator to assign a tenant.")
    if not (isinstance(principal, str) and _PRINCIPAL.fullmatch(principal)):
        raise Unauthenticated("the identity names no principal", hint="Sign in again.")
    words = roles if isinstance(roles, list) else re.split(r"[\s,\[\]]+", roles) if isinstance(roles, str) else []
    named = frozenset(map(str, words))
    return Caller(tenant=tenant, principal=principal, roles=named & ROLES, groups=named - {""})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
