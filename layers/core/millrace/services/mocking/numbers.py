"""Numbers that fit what a schema says of a number: bounds and steps. Exact, since fractions are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count, islice
from typing import Any, Final

from millrace.base.limits import INTEGER_DIGITS

_LARGEST: Final = 10**INTEGER_DIGITS
_MOST: Final = 400
"""Numbers given at most."""


def numbers(conjuncts: Sequence[dict[str, Any]], *, whole: bool) -> Iterator[int | float]:
    """Numbers that fit the keywords of all schemas together, the plainest first; only integers with ``whole``."""
    low, above = _bound(conjuncts, "minimum", "exclusiveMinimum", 1)
    high, below = _bound(conjuncts, "maximum", "exclusiveMaximum", -1)
    steps = [Fraction(str(one["multipleOf"])) for one in conjuncts if "multipleOf" in one]
    if whole:
        steps.append(Fraction(1))
    found = _stepped(_common(steps), low, high) if steps else _free(low, high)
    for number in islice(found, _MOST):
        fits_low = low is None or (number > low if above else number >= low)
        fits_high = high is None or (number < high if below else number <= high)
        if fits_low and fits_high and abs(number) < _LARGEST:
            yield int(number) if number.denominator == 1 else float(number)


def _bound(conjuncts: Sequence[dict[str, Any]], plain: str, strict: str, sign: int) -> tuple[Fraction | None, bool]:
    """The tightest of several bounds, and whether it is excluded."""
    found = [(Fraction(one[plain]), False) for one in conjuncts if plain in one]
    found += [(Fraction(one[strict]), True) for one in conjuncts if strict in one]
    return max(found, key=lambda one: (sign * one[0], one[1])) if found else (None, False)


def _common(steps: Sequence[Fraction]) -> Fraction:
    """The least number that is a multiple of all."""
    top, bottom = 1, 0
    for step in steps:
        top, bottom = math.lcm(top, step.numerator), math.gcd(bottom, step.denominator)
    return Fraction(top, bottom)


def _stepped(step: Fraction, low: Fraction | None, high: Fraction | None) -> Iterator[Fraction]:
    """The multiples between the bounds: from one on, or what is nearest to it, upwards and then downwards."""
    first = None if low is None else math.ceil(low / step)
    last = None if high is None else math.floor(high / step)
    start = 1 if first is None else max(first, 1)
    start = start if last is None else min(start, last)
    yield from (step * number for number in (count(start) if last is None else range(start, last + 1)))
    yield from (
        step * number for number in (count(start - 1, -1) if first is None else range(start - 1, first - 1, -1))
    )


def _free(low: Fraction | None, high: Fraction | None) -> Iterator[Fraction]:
    if low is not None and high is not None:
        yield low
        yield high
        for parts in count(2):
            yield from (low + (high - low) * Fraction(part, parts) for part in range(1, parts))
    elif low is not None:
        yield from (low + number for number in count())
    elif high is not None:
        yield from (high - number for number in count())
    else:
        yield from (Fraction(2 * number + 3, 2) for number in count())
