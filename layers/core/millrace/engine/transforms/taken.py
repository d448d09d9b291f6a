"""What a step takes of each item, for the checks that judge a document before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from millrace.expr.expression import Expression
from millrace.expr.template import Template

Role = Literal["test", "value", "key", "sum", "extreme"]


class Taken(Struct, frozen=True):
    """One value: that of ``expression``, or of the field path ``names`` where there is none.

    ``text`` is where it is written, at ``place`` in the value of the step if that is a template. A ``test`` keeps an
    item, a ``sum`` adds numbers up, an ``extreme`` compares; the other roles take anything. ``name`` is the field of
    the output that holds it, where one does.
    """

    role: Role
    text: str
    names: tuple[str, ...] = ()
    expression: Expression | None = None
    name: str | None = None
    place: tuple[str | int, ...] = ()


def by_template(template: Template, value: Any) -> list[Taken]:
    """The expressions in ``value``, of which ``template`` was made."""
    return [
        Taken("value", _at(value, site.place), expression=site.expression, place=site.place) for site in template.sites
    ]


def _at(value: Any, place: Sequence[str | int]) -> Any:
    for part in place:
        value = value[part]
    return value
