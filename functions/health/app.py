"""The function behind /api/v1/health: is the process there, and does its store answer."""

from __future__ import annotations

from typing import Any

from millrace.api import Resolver, answer, entry
from millrace.api import models as m
from millrace.api.operations import gives
from millrace.services.check_health import check_health
from millrace.wiring import current

app = Resolver("health")


@app.get("/api/v1/health", responses=gives(m.Health, 200, 503))
def read_health() -> Any:
    """Whether the platform can serve."""
    found = check_health(current())
    return answer(found, status=200 if found["status"] == "ok" else 503)


handler = entry(app, current)
