"""How an `http` task reads a list that a service gives in pages: the `paging` block of its request."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from millrace.base.limits import PAGING_ITEMS, PAGING_PAGES
from millrace.spec.models.fields import Many, Model, refusal

Strategy = Literal["link", "next", "cursor", "offset", "page"]
_PATH: Final = re.compile(r"[^.\[\]{}/]+(?:\.[^.\[\]{}/]+)*|(?:/[^{}]*)+")
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_TAKES: Final[dict[Strategy, tuple[frozenset[str], frozenset[str]]]] = {
    "link": (frozenset(), frozenset({"hosts"})),
    "next": (frozenset({"path"}), frozenset({"hosts"})),
    "cursor": (frozenset({"path", "param"}), frozenset({"more", "limit", "limitParam"})),
    "offset": (frozenset({"param"}), frozenset({"start", "more", "total", "limit", "limitParam"})),
    "page": (frozenset({"param"}), frozenset({"start", "more", "total", "limit", "limitParam"})),
}
"""The keys that each strategy needs, and those it may have besides."""
_ALWAYS: Final = frozenset({"strategy", "items", "maxPages", "maxItems"})


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise refusal(f"{value!r} is not a path", "Write names with dots (meta.next, data.-1.id), or a JSON pointer.")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise refusal(f"{value!r} is not a host", "Write the host of the link, with its port where the link has one.")
    return value


BodyPath = Annotated[str, AfterValidator(_path), Field(max_length=512)]
"""Names with dots between them, an index of a list (from its end where negative), or a JSON pointer (RFC 6901)."""


class Paging(Model):
    """Pages are asked for one after the other until the service has no more, or a limit is reached."""

    strategy: Strategy
    """Where the next page is: a Link header, a link in the body, a cursor, an offset, a page number."""
    items: BodyPath | None = None
    """Where in a page its items are; left out, the body is the list."""
    path: BodyPath | None = None
    """Where in a page the next link (next) or cursor (cursor) is; null, empty or missing on the last page."""
    param: str | None = Field(default=None, min_length=1, max_length=128)
    """The query parameter of the cursor, offset or page number."""
    start: int | None = Field(default=None, ge=0, le=1_000_000_000)
    """The first offset (default 0) or page number (default 1)."""
    limit: int | None = Field(default=None, ge=1, le=PAGING_ITEMS)
    """How many items to ask for at once."""
    limit_param: str | None = Field(default=None, min_length=1, max_length=128)
    """The query parameter of limit."""
    more: BodyPath | None = None
    """Where a page says whether there are more."""
    total: BodyPath | None = None
    """Where a page says how many items there are in all."""
    hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], Many, Field(max_length=16)] = ()
    """Further hosts that a link may lead to, as host or host:port."""
    max_pages: int = Field(default=100, ge=1, le=PAGING_PAGES)
    """After how many pages to stop."""
    max_items: int = Field(default=10_000, ge=1, le=PAGING_ITEMS)
    """After how many items to stop."""

    @model_validator(mode="after")
    def _fits_strategy(self) -> Paging:
        given = {type(self).model_fields[name].alias or name for name in self.model_fields_set} - _ALWAYS
        needs, may = _TAKES[self.strategy]
        if missing := sorted(needs - given):
            raise refusal(f"paging by {self.strategy} needs {missing[0]}", f"Add {missing[0]}.")
        if extra := sorted(given - needs - may):
            takes = ", ".join(sorted(needs | may))
            raise refusal(f"paging by {self.strategy} takes no {extra[0]}", f"It takes {takes}.")
        if (self.limit is None) != (self.limit_param is None):
            raise refusal("limit and limitParam go together", "Give both, or neither.")
        if self.param is not None and self.param == self.limit_param:
            raise refusal("param and limitParam are the same", "Give each its own parameter.")
        return self


def paged_body() -> dict[str, Any]:
    """The JSON Schema of the body that all pages together make."""
    return {
        "type": "object",
        "properties": {"items": {"type": "array"}, "complete": {"type": "boolean"}},
        "required": ["items", "complete"],
        "additionalProperties": False,
    }
