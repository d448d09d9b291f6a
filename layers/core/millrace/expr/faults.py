"""One way to say what is wrong with an expression, and where.

A `Site` is a stretch of the source. Every error an expression can cause is made by `Site.fault`, so that each one
carries a reason slug, the position and what was found, and never a value: a value may be private.

Reasons, in ``facts["reason"]``: ``syntax``, ``depth``, ``size``, ``unknown-root``, ``unknown-field``, ``null-field``,
``index-range``, ``type``, ``overflow``, ``division-by-zero``, ``conversion``, ``duplicate-key``, ``regex``, ``fuel``,
``ambiguous-hyphen``, ``secret-use``, ``shadowing``, ``no-such-function``, ``argument-count``, ``range``, ``null-text``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import ExpressionError

MISSING: Final = frozenset({"unknown-root", "unknown-field", "null-field", "index-range"})
"""Reasons that mean "there is no such data": what ``?.`` and ``??`` turn into null."""

FATAL: Final = frozenset({"fuel", "size", "depth", "secret-use"})
"""Reasons that ``&&`` and ``||`` never absorb: a limit that can be absorbed is no limit."""

NAMES_SHOWN: Final = 12


class Site(Struct, frozen=True):
    """``length`` characters of ``source`` from ``offset`` on."""

    source: str
    offset: int
    length: int

    @property
    def text(self) -> str:
        return self.source[self.offset : self.offset + self.length]

    def fault(self, reason: str, message: str, *, hint: str = "", **facts: Any) -> ExpressionError:
        return ExpressionError(
            message,
            hint=hint,
            facts={
                "reason": reason,
                "source": self.source,
                "offset": self.offset,
                "length": self.length,
                **facts,
            },
        )


NOWHERE: Final = Site("", 0, 0)


def deferred(error: ExpressionError, explain: Callable[[], tuple[str, str, dict[str, Any]]]) -> ExpressionError:
    """Puts off the costly part of an error (message, hint, facts) until `explained` asks for it.

    Most missing fields are absorbed by ``??`` and the like, in loops too, and searching for similar names each time
    would cost far more than the fuel that was paid.
    """
    error.__dict__["_explain"] = explain
    return error


def explained(error: ExpressionError) -> ExpressionError:
    """The same error, complete. Everything that lets an error out of an evaluation calls this."""
    explain = error.__dict__.pop("_explain", None)
    if explain is not None:
        error.message, error.hint, facts = explain()
        error.args = (error.message,)
        error.facts.update(facts)
    return error


def reason_of(error: ExpressionError) -> str:
    """The slug of an error made here; empty for one that came from elsewhere."""
    return str(error.facts.get("reason", ""))


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name closest to a misspelt one, or None when nothing is close."""
    from difflib import get_close_matches

    found = get_close_matches(name, sorted(known)[:2000], n=1, cutoff=0.6)
    return found[0] if found else None


def listed(names: Collection[str]) -> str:
    """Names in order for a message, cut after a dozen."""
    shown = sorted(names)[:NAMES_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
