"""The hyphen rule: after a dot, a hyphen between two name characters belongs to the name.

That makes `tasks.analyze-ticket.output` a path, and `input.total-fee` one too, which may not be what was meant. Where
the names are declared the doubt is settled here; where they are not, a note says how it was read.
"""

from __future__ import annotations

from collections.abc import Sequence

from millrace.base.errors import ExpressionError
from millrace.expr import nodes
from millrace.expr.faults import Site
from millrace.expr.notes import Note
from millrace.expr.scope import Scope, declared_below, hyphen_state
from millrace.expr.tokens import Token


def not_a_method(field: Token, site: Site) -> ExpressionError:
    """What ``value.a-size(…)`` is: methods have no hyphens, so a subtraction was meant."""
    head, _, tail = field.value.rpartition("-")
    hint = f"for a subtraction write {head} - {tail}(…)"
    return site.fault("ambiguous-hyphen", f"{field.value} is not a function", hint=hint, fix=f"{head} - {tail}")


def judged_hyphen(
    scope: Scope | None, name: str, base: nodes.Node, steps: Sequence[nodes.AnyStep], site: Site
) -> list[Note]:
    """The notes on a hyphenated field after ``steps``. Raises ExpressionError (``ambiguous-hyphen``)."""
    names = [step.name for step in steps if isinstance(step, nodes.Field)]
    known = isinstance(base, nodes.Root) and len(names) == len(steps)
    prefix = (base.name, *names) if known and isinstance(base, nodes.Root) else None
    state = hyphen_state(scope, prefix, name)
    if state is None:
        return []
    before = site.source[base.start : site.offset]
    if state == "":
        head, _, tail = name.partition("-")
        fix = f"{head} - {tail}"
        message = f"{name} is read as one name; for a subtraction write {before}{fix}"
        return [Note("ambiguous-hyphen", "warning", site.offset, site.length, message, fix)]
    tail = name[len(state) + 1 :]
    beside = declared_below(scope, prefix) or ()
    fix = f"{state} - {before}{tail}" if tail in beside else f"{state} - {tail}"
    message = f"{name} is not declared, but {state} is: a hyphen between two names belongs to the name"
    raise site.fault("ambiguous-hyphen", message, hint=f"for a subtraction write {before}{fix}", read=name, fix=fix)
