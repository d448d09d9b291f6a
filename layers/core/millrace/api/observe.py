"""One structured log line per request, written whatever happened to it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from millrace.api.current import Request
from millrace.base.errors import MillraceError

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_CHOSEN: dict[str, Level] = {"level": "WARNING"}


def use_level(level: Level) -> None:
    """The level of the loggers from now on, as the setting says; until then it is WARNING, at which a request that
    went well writes nothing."""
    if _CHOSEN["level"] != level:
        _CHOSEN["level"] = level
        logger.cache_clear()


@functools.cache
def logger(concern: str) -> Logger:
    """The function's logger, made at the first request."""
    from aws_lambda_powertools import Logger

    made = Logger(service=f"millrace-{concern}", level=_CHOSEN["level"], use_rfc3339=True, utc=True)
    made.setLevel(_CHOSEN["level"])  # one made earlier under this name has kept its own
    return made


def observe(concern: str, request: Request, *, status: int, seconds: float, error: BaseException | None) -> None:
    """Fields are passed per line, never bound to the shared logger, so that threads cannot mix them.

    The route's template is logged and not the path, and no header, query or body, since any of those may hold
    personal data. An exception from outside our tree is logged with its trace: it is a defect.
    """
    caller = request.caller
    fields = {
        "requestId": request.request_id,
        "method": request.method,
        "route": request.template or "unmatched",
        "status": status,
        "milliseconds": round(seconds * 1000, 3),
        "tenant": caller.tenant if caller else "",
        "principal": caller.principal if caller else "",
        "code": error.code if isinstance(error, MillraceError) else "internal" if error else "",
    }
    log = logger(concern)
    if error is not None and not isinstance(error, MillraceError):
        log.error("request failed", exc_info=error, extra=fields)
    elif status >= 500:
        log.warning("request failed", extra=fields)
    else:
        log.info("request", extra=fields)
