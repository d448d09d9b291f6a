"""Functions as somebody else would write them; each adapter of the port calls the same ones."""

from __future__ import annotations

from typing import Any


def echo(event: Any, context: Any) -> Any:
    return {"event": event, "name": context.function_name}


def key(event: Any, context: Any) -> Any:
    return dict(context.client_context.custom)


def fails(event: Any, context: Any) -> Any:
    raise ValueError(f"no {event['what']}")


def nothing(event: Any, context: Any) -> None:
    return None


def odd(event: Any, context: Any) -> Any:
    return {"set": {1, 2}}


def leaves(event: Any, context: Any) -> Any:
    raise SystemExit(3)


def large(event: Any, context: Any) -> Any:
    return "x" * (6 * 1024 * 1024)


FUNCTIONS = {
    name: f"tests.conformance.functions.handlers:{name}"
    for name in ("echo", "key", "fails", "nothing", "odd", "leaves", "large")
}
