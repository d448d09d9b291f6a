"""Waiting a bounded time for an execution to end. A caller that goes away cancels nothing."""

from __future__ import annotations

import time
from typing import Any

from millrace.services.caller import Caller
from millrace.services.get_execution import get_execution, known_actor
from millrace.services.platform import Platform

FIRST_LOOK_S = 0.004
LONGEST_LOOK_S = 0.25
LONGEST_WAIT_S = 1.0
"""How long to trust a notice of the end before looking again."""


def wait_execution(platform: Platform, caller: Caller, execution: str, *, wait_ms: int) -> dict[str, Any]:
    """The execution as JSON, as soon as it has ended or after ``wait_ms`` at the latest. Raises NotFound."""
    end = time.monotonic() + wait_ms / 1000
    pause = FIRST_LOOK_S
    while not known_actor(platform, caller, execution).done:
        left = end - time.monotonic()
        if left <= 0:
            break
        if platform.wait_end is not None:
            platform.wait_end(caller.scope, execution, min(left, LONGEST_WAIT_S))
        else:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_LOOK_S)
    return get_execution(platform, caller, execution)
