"""The function behind /api/v1/breakers: see, open, close and reset circuit breakers."""

from __future__ import annotations

from typing import Any

from millrace.api import Resolver, answer, caller, entry
from millrace.api import breaker_models as m
from millrace.api import parameters as p
from millrace.api.operations import gives
from millrace.services.change_breaker import Action, change_breaker
from millrace.services.get_breaker import get_breaker
from millrace.services.list_breakers import list_breakers
from millrace.wiring import current

app = Resolver("breakers")
BASE = "/api/v1/breakers"
ONE = f"{BASE}/<breaker>"


@app.get(BASE, responses=gives(m.BreakerList))
def list_all_breakers(limit: p.Limit = p.PAGE, cursor: p.Cursor = None) -> Any:
    """List the circuit breakers that have counted or changed something, by name."""
    return answer(list_breakers(current(), caller(), limit=limit, cursor=p.cursor_of(cursor)))


@app.get(ONE, responses=gives(m.Breaker))
def read_breaker(breaker: m.BreakerPath) -> Any:
    """Read a circuit breaker: its state, what it counted, and who changed it."""
    return answer(get_breaker(current(), caller(), breaker))


@app.post(f"{ONE}/open", responses=gives(m.Breaker))
def open_breaker(breaker: m.BreakerPath, body: m.BreakerBody = None) -> Any:
    """Refuse every attempt until the breaker is closed or reset."""
    return _change(breaker, "open", body)


@app.post(f"{ONE}/close", responses=gives(m.Breaker))
def close_breaker(breaker: m.BreakerPath, body: m.BreakerBody = None) -> Any:
    """Let attempts through again, a rising share of them."""
    return _change(breaker, "close", body)


@app.post(f"{ONE}/reset", responses=gives(m.Breaker))
def reset_breaker(breaker: m.BreakerPath, body: m.BreakerBody = None) -> Any:
    """Let every attempt through again, and forget what was counted."""
    return _change(breaker, "reset", body)


def _change(breaker: str, action: Action, body: m.BreakerChangeRequest | None) -> Any:
    reason = (body or m.BreakerChangeRequest()).reason
    return answer(change_breaker(current(), caller(), breaker, action=action, reason=reason))


handler = entry(app, current)
