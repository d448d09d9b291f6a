"""Who may do what: one table of route × role. What is not in it is refused to everybody.

Roles: ``viewer`` reads, ``operator`` also starts, cancels and signals executions, ``author`` also publishes and
activates, ``admin`` may do everything; ``anonymous`` is a request without identity to one of the paths in PUBLIC.
A role holds nothing that the table does not name.
"""

from __future__ import annotations

from typing import Final

from millrace.base.errors import Forbidden
from millrace.services.caller import Caller

ROLES: Final = frozenset({"viewer", "operator", "author", "admin"})
READ: Final = frozenset({"viewer", "operator", "author", "admin"})
RUN: Final = frozenset({"operator", "author", "admin"})
WRITE: Final = frozenset({"author", "admin"})

API: Final = "/api/v1"


def _definitions(plural: str) -> dict[tuple[str, str], frozenset[str]]:
    base = f"{API}/{plural}"
    return {
        ("POST", base): WRITE,
        ("GET", base): READ,
        ("POST", f"{base}/validate"): READ,
        ("GET", f"{base}/<name>"): READ,
        ("PUT", f"{base}/<name>"): WRITE,
        ("DELETE", f"{base}/<name>"): WRITE,
        ("GET", f"{base}/<name>/versions"): READ,
        ("GET", f"{base}/<name>/versions/<version>"): READ,
        ("POST", f"{base}/<name>/activate"): WRITE,
        ("POST", f"{base}/<name>/validate-input"): READ,
    }


ACCESS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("GET", f"{API}/health"): READ | {"anonymous"},
    **_definitions("workflows"),
    **_definitions("tasks"),
    ("POST", f"{API}/tasks/import"): WRITE,
    ("GET", f"{API}/workflows/<name>/graph"): READ,
    ("GET", f"{API}/workflows/<name>/statistics"): READ,
    ("GET", f"{API}/workflows/<name>/export"): READ,
    ("POST", f"{API}/workflows/import"): WRITE,
    ("POST", f"{API}/workflows/<name>/test"): READ,
    ("POST", f"{API}/workflows/<name>/executions"): RUN,
    ("GET", f"{API}/executions"): READ,
    ("GET", f"{API}/executions/<execution>"): READ,
    ("GET", f"{API}/executions/<execution>/events"): READ,
    ("GET", f"{API}/executions/<execution>/test"): READ,
    ("POST", f"{API}/executions/<execution>/cancel"): RUN,
    ("POST", f"{API}/executions/<execution>/signals/<signal>"): RUN,
    ("POST", f"{API}/executions/<execution>/pause"): RUN,
    ("POST", f"{API}/executions/<execution>/resume"): RUN,
    ("POST", f"{API}/executions/<execution>/approvals/<task>"): READ,
    ("GET", f"{API}/breakers"): READ,
    ("GET", f"{API}/breakers/<breaker>"): READ,
    ("POST", f"{API}/breakers/<breaker>/open"): RUN,
    ("POST", f"{API}/breakers/<breaker>/close"): RUN,
    ("POST", f"{API}/breakers/<breaker>/reset"): RUN,
}


PUBLIC: Final = frozenset({("GET", f"{API}/health")})
"""What a stranger may call: paths without variable parts, compared as a whole."""


PACKAGES: Final = frozenset({("POST", f"{API}/workflows/import")})
"""What takes the bytes of a package in place of a JSON or YAML body, unless ``?from=`` names another engine."""


def methods_of(path: str) -> frozenset[str]:
    """The methods of the routes that a path without its query leads to; empty where none does."""
    given = path.split("/")
    return frozenset(method for method, template in {*ACCESS, *PUBLIC} if _leads(given, template.split("/")))


def _leads(given: list[str], wanted: list[str]) -> bool:
    return len(given) == len(wanted) and all(
        held == want or (want.startswith("<") and held != "") for held, want in zip(given, wanted, strict=True)
    )


def authorise(caller: Caller, method: str, template: str) -> None:
    """Raises Forbidden unless one of the caller's roles is named for the route."""
    allowed = ACCESS.get((method, template), frozenset())
    if not caller.roles & allowed:
        needed = ", ".join(sorted(allowed)) or "nobody"
        raise Forbidden(
            f"{method} {template} needs one of the roles {needed}",
            hint="Ask an administrator for the role.",
            facts={"needs": sorted(allowed), "has": sorted(caller.roles & ROLES)},
        )
