"""Circuit breakers over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import Field

from millrace.api.models import Text, Wire

BreakerState = Literal["closed", "open", "halfOpen", "forcedOpen"]


class BreakerChangeRequest(Wire):
    """Why a breaker is opened, closed or reset by hand."""

    reason: Text = Field(default="", description="For people; it stays with the breaker.")


class BreakerProbe(Wire):
    """An attempt that holds a place while the breaker is half-open."""

    attempt: str = Field(description="The execution, the task and the number of the attempt.")
    lease_until: str = Field(description="When its place is free again if nothing is heard of it.")
    succeeded: bool


class BreakerCounts(Wire):
    """What was counted since the breaker last changed its state, within the window."""

    successes: int
    failures: int
    window_ms: int


class BreakerChange(Wire):
    """One change of state; ``by`` is millrace for those that the breaker made itself."""

    at: str
    state: BreakerState
    by: str
    why: str


class Breaker(Wire):
    """A circuit breaker. An open one whose break is over waits for its first probe."""

    name: str
    state: BreakerState
    since: str | None = Field(description="When it came into this state; null if it was never open.")
    open_until: str | None = Field(description="When it lets probes through; null unless it is open.")
    generation: int = Field(description="How often its state has changed.")
    permitted_probes: int
    probes: list[BreakerProbe]
    counts: BreakerCounts
    changes: list[BreakerChange] = Field(description="The last 20, the oldest first.")


class BreakerList(Wire):
    items: list[Breaker]
    cursor: str | None


BreakerPath = Annotated[str, Path(description="The name, as host~api.example.com~443.", max_length=320)]
BreakerBody = Annotated[BreakerChangeRequest | None, Body()]
