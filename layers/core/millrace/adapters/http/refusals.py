"""How the parts of this package stop a call: one exception that carries a finished Failure."""

from __future__ import annotations

from typing import Any

from millrace.ports.runners import Failure


class Refused(Exception):
    """The call cannot go on; ``failure`` says why. Never leaves this package except through TaskFailed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.kind}/{failure.code}: {failure.message}")
        self.failure = failure


def blocked(code: str, message: str, hint: str = "", **details: Any) -> Refused:
    """The gate does not let this through: permanent."""
    return Refused(Failure("blocked", code, message, False, hint, details))


def invalid(code: str, message: str, hint: str = "", **details: Any) -> Refused:
    """The request cannot be built from its configuration: permanent, kind ``task``."""
    return Refused(Failure("task", code, message, False, hint, details))


def unreadable(code: str, message: str, hint: str = "", **details: Any) -> Refused:
    """The response is not what it says it is: permanent, kind ``schema``."""
    return Refused(Failure("schema", code, message, False, hint, details))


def too_large(code: str, message: str, *, limit: int, hint: str = "") -> Refused:
    """A cap was passed: permanent, kind ``too-large``. ``limit`` in the unit that the message names."""
    return Refused(Failure("too-large", code, message, False, hint, {"limit": limit}))


def network(code: str, message: str, *, retryable: bool = True, hint: str = "") -> Refused:
    """The other side was not reached, or went away."""
    return Refused(Failure("network", code, message, retryable, hint))


def timed_out(code: str, message: str, hint: str = "") -> Refused:
    return Refused(Failure("timeout", code, message, True, hint))
