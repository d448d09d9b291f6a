"""``all``, ``exists``, ``exists_one``, ``map`` and ``filter`` over the items of a list or the keys of a map.

Each round is charged the whole cost of its body beforehand, so nested loops run out of fuel after a bounded number
of rounds, whatever the body does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from millrace.base.errors import ExpressionError
from millrace.expr.faults import FATAL, Site, reason_of
from millrace.expr.frame import Frame, Run
from millrace.expr.operators import POINTER_BYTES, type_fault

Macro = Callable[[Frame, Any], Any]


def macro(name: str, slot: int, test: Run | None, body: Run, cost: int, site: Site) -> Macro:
    """The closure of a macro step. ``cost`` is the steps of one round."""
    each = cost + 1
    if name == "map":
        return _mapping(slot, test, body, each, site)
    if name == "filter":
        return _selecting(slot, body, each, site)
    if name == "exists_one":
        return _counting(slot, body, each, site)
    return _deciding(name, slot, body, each, site, deciding=name == "exists")


def _rounds(value: Any, name: str, site: Site) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        return list(value)
    raise type_fault(site, name, value)


def _verdict(frame: Frame, run: Run, name: str, site: Site) -> bool:
    value = run(frame)
    if type(value) is not bool:
        raise type_fault(site, name, value)
    return value


def _mapping(slot: int, test: Run | None, body: Run, each: int, site: Site) -> Macro:
    def mapped(frame: Frame, value: Any) -> Any:
        fuel, result = frame.fuel, []
        for entry in _rounds(value, "map", site):
            fuel.spend(each, site)
            frame.slots[slot] = entry
            if test is None or _verdict(frame, test, "map", site):
                fuel.grow(POINTER_BYTES, site)
                result.append(body(frame))
        return result

    return mapped


def _selecting(slot: int, body: Run, each: int, site: Site) -> Macro:
    def selected(frame: Frame, value: Any) -> Any:
        fuel, result = frame.fuel, []
        for entry in _rounds(value, "filter", site):
            fuel.spend(each, site)
            frame.slots[slot] = entry
            if _verdict(frame, body, "filter", site):
                fuel.grow(POINTER_BYTES, site)
                result.append(entry)
        return result

    return selected


def _counting(slot: int, body: Run, each: int, site: Site) -> Macro:
    def counted(frame: Frame, value: Any) -> Any:
        count = 0
        for entry in _rounds(value, "exists_one", site):
            frame.fuel.spend(each, site)
            frame.slots[slot] = entry
            count += _verdict(frame, body, "exists_one", site)
        return count == 1

    return counted


def _deciding(name: str, slot: int, body: Run, each: int, site: Site, *, deciding: bool) -> Macro:
    def decided(frame: Frame, value: Any) -> Any:
        failure: ExpressionError | None = None
        for entry in _rounds(value, name, site):
            frame.fuel.spend(each, site)
            frame.slots[slot] = entry
            try:
                verdict = _verdict(frame, body, name, site)
            except ExpressionError as error:
                if reason_of(error) in FATAL:
                    raise
                failure = failure or error
                continue
            if verdict is deciding:
                return deciding
        if failure is not None:
            raise failure
        return not deciding

    return decided
