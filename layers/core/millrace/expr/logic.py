"""``&& || ! ?: ??``: the operators that may leave a side unevaluated.

As in CEL, an error on one side of ``&&`` or ``||`` does not matter when the other side decides, whichever comes first.
Running out of fuel, size or depth, and misuse of a secret, always matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millrace.base.errors import ExpressionError
from millrace.expr.faults import FATAL, MISSING, Site, reason_of
from millrace.expr.frame import Frame, Run
from millrace.expr.operators import type_fault


def both(items: Sequence[tuple[Run, Site]]) -> Run:
    return _absorbing(items, "&&", deciding=False)


def either(items: Sequence[tuple[Run, Site]]) -> Run:
    return _absorbing(items, "||", deciding=True)


def _absorbing(items: Sequence[tuple[Run, Site]], operator: str, *, deciding: bool) -> Run:
    def decided(frame: Frame) -> Any:
        failure: ExpressionError | None = None
        for run, site in items:
            try:
                value = run(frame)
            except ExpressionError as error:
                if reason_of(error) in FATAL:
                    raise
                failure = failure or error
                continue
            if value is deciding:
                return deciding
            if type(value) is not bool:
                fault = type_fault(site, operator, value)
                if reason_of(fault) in FATAL:
                    raise fault
                failure = failure or fault
        if failure is not None:
            raise failure
        return not deciding

    return decided


def negation(run: Run, site: Site) -> Run:
    def negated(frame: Frame) -> Any:
        value = run(frame)
        if value is True:
            return False
        if value is False:
            return True
        raise type_fault(site, "!", value)

    return negated


def choice(branches: Sequence[tuple[Run, Run, Site]], otherwise: Run) -> Run:
    def chosen(frame: Frame) -> Any:
        for test, value, site in branches:
            verdict = test(frame)
            if verdict is True:
                return value(frame)
            if verdict is not False:
                raise type_fault(site, "? :", verdict)
        return otherwise(frame)

    return chosen


def coalesce(runs: Sequence[Run]) -> Run:
    *early, last = runs

    def first_present(frame: Frame) -> Any:
        for run in early:
            try:
                value = run(frame)
            except ExpressionError as error:
                if reason_of(error) not in MISSING:
                    raise
                continue
            if value is not None:
                return value
        return last(frame)

    return first_present
