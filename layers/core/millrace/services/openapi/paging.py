"""Whether an operation gives a list in pages, and how the next page is asked for.

OpenAPI has no word for paging, so it is read from names that APIs commonly use, and only where one reading is left: a
Link header or the address of the next page in the body says it outright; otherwise one parameter that moves on (a
cursor that the body gives, an offset, a page number) and one list of items. What looks like paging and is not clear is
noted, for a person to write.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from millrace.services.openapi.bodies import JSON, media_name
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.operations import Operation
from millrace.services.openapi.references import Document, mapping, sequence

_CURSORS: Final = frozenset(
    {"cursor", "pagetoken", "after", "startingafter", "nexttoken", "continuationtoken", "marker", "startcursor"}
    | {"pagecursor", "continuation"}
)
_OFFSETS: Final = frozenset({"offset", "skip", "startindex"})
_PAGES: Final = frozenset({"page", "pagenumber", "pagenum", "pageno"})
_LIMITS: Final = frozenset(
    {"limit", "pagesize", "perpage", "size", "take", "top", "maxresults", "itemsperpage", "pagelimit"}
)
_GIVEN_CURSORS: Final = frozenset(
    {"nextcursor", "nextpagetoken", "nexttoken", "endcursor", "nextmarker", "continuationtoken", "nextpagecursor"}
)
_NEXT: Final = frozenset({"nextlink", "nexturl", "nexthref", "odatanextlink"})
_MORE: Final = frozenset({"hasmore", "hasnext", "hasnextpage"})
_TOTALS: Final = frozenset({"total", "totalcount", "totalitems", "totalresults"})
_LISTS: Final = ("items", "data", "results", "records", "values", "value", "entries", "content")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_$@-]+")
_ADDRESS: Final = frozenset({"uri", "url", "uri-reference"})
_DEEP: Final = 3
_MOST_FIELDS: Final = 300
_MOST_LIMIT: Final = 1_000

Path = tuple[str, ...]


class Pages(Struct, frozen=True):
    """``block`` is the paging block of a request; ``omit`` are the query parameters that it sets; ``items`` is the raw
    schema of the list of items, at ``where``."""

    block: dict[str, Any]
    omit: frozenset[str]
    items: Any
    where: str


def find_pages(document: Document, operation: Operation, notes: Notes) -> Pages | None:
    """How a GET operation gives its pages; None where it has none, or where that is not clear, with a note."""
    if operation.method != "get":
        return None
    found = _answer(document, operation)
    if found is None:
        return None
    response, schema, where = found
    query = _query(document, operation)
    fields = list(_fields(document, schema))
    clear, unsure = _strategies(document, response, query, fields)
    if not clear and not unsure:
        return None
    items = _items(document, schema, where, fields)
    if items is None or len(clear) != 1:
        if items is not None or _lists(fields):
            message = "the operation may give its list in pages, and how is not clear; write its paging block by hand"
            notes.add("paging", operation.where, message)
        return None
    (block,) = clear
    path, raw, place = items
    block = {"strategy": block["strategy"], **({"items": _spelled(path)} if path else {}), **block}
    limits = [name for name in query if _plain(name) in _LIMITS]
    size = _size(document, query[limits[0]]) if len(limits) == 1 and "param" in block else None
    if size is not None:
        block |= {"limit": size, "limitParam": limits[0]}
    omit = {name for name in (block.get("param"), block.get("limitParam")) if name is not None}
    return Pages(block, frozenset(omit), raw, place)


def _strategies(
    document: Document, response: dict[str, Any], query: dict[str, dict[str, Any]], fields: list[tuple[Path, Any]]
) -> tuple[list[dict[str, Any]], bool]:
    """The paging blocks that would do, one where it is clear; and whether anything looks like paging at all."""
    if any(name.lower() == "link" for name in mapping(response.get("headers"))):
        return [{"strategy": "link"}], True
    links = [path for path, schema in fields if _is_next(path, schema, bool(_named(query, _CURSORS)))]
    if links:
        return [{"strategy": "next", "path": _spelled(path)} for path in links], True
    more = [_spelled(path) for path, schema in fields if _plain(path[-1]) in _MORE and _typed(schema, "boolean")]
    total = [_spelled(path) for path, schema in fields if _plain(path[-1]) in _TOTALS and _typed(schema, "integer")]
    ends: dict[str, Any] = {"more": more[0]} if len(more) == 1 else {}
    counts: dict[str, Any] = {"total": total[0]} if len(total) == 1 else {}
    clear: list[dict[str, Any]] = []
    cursors = _named(query, _CURSORS)
    given = [path for path, schema in fields if _gives_cursor(path) and not _typed(schema, "array", "object")]
    if len(cursors) == 1 and len(given) == 1:
        clear.append({"strategy": "cursor", "path": _spelled(given[0]), "param": cursors[0], **ends})
    for strategy, names in (("offset", _OFFSETS), ("page", _PAGES)):
        for name in _named(query, names):
            if _integer(document, query[name]):
                start = _start(document, query[name]) if strategy == "page" else {}
                clear.append({"strategy": strategy, "param": name, **start, **ends, **counts})
    return clear, bool(clear or cursors)


def _named(query: dict[str, dict[str, Any]], names: frozenset[str]) -> list[str]:
    return [name for name in query if _plain(name) in names]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_next(path: Path, schema: Any, cursor: bool) -> bool:
    """Whether a field holds the address of the next page."""
    if not _typed(schema, "string"):
        return False
    name, above = _plain(path[-1]), _plain(path[-2]) if len(path) > 1 else ""
    address = mapping(schema).get("format") in _ADDRESS
    if name in _NEXT or (name == "href" and above == "next"):
        return True
    return name == "next" and (address or (above in ("links", "paging") and not cursor))


def _gives_cursor(path: Path) -> bool:
    name, above = _plain(path[-1]), _plain(path[-2]) if len(path) > 1 else ""
    return name in _GIVEN_CURSORS or (name == "after" and above == "cursors") or (name == "next" and not above)


def _answer(document: Document, operation: Operation) -> tuple[dict[str, Any], Any, str] | None:
    """The one successful answer of an operation with a JSON body: itself, the schema of its body, and where."""
    responses = {str(key): item for key, item in mapping(operation.value.get("responses")).items()}
    good = [key for key in responses if key[:1] == "2"]
    if len(good) != 1:
        return None
    where = below(operation.where, "responses", good[0])
    try:
        response = mapping(document.resolve(responses[good[0]]))
    except LookupError:
        return None
    for name, media in mapping(response.get("content")).items():
        if JSON.fullmatch(media_name(str(name))):
            return response, mapping(media).get("schema"), below(where, "content", str(name), "schema")
    return None


def _query(document: Document, operation: Operation) -> dict[str, dict[str, Any]]:
    """The query parameters by name, those of the operation in place of those of its path."""
    found: dict[str, dict[str, Any]] = {}
    for item in [*sequence(operation.item.get("parameters")), *sequence(operation.value.get("parameters"))]:
        one = _resolved(document, item)
        if one.get("in") == "query" and isinstance(one.get("name"), str):
            found[one["name"]] = one
    return found


def _resolved(document: Document, value: Any) -> dict[str, Any]:
    try:
        return mapping(document.resolve(value))
    except LookupError:
        return {}


def _fields(document: Document, raw: Any) -> Iterator[tuple[Path, Any]]:
    """The fields of an answer and of the objects in it, by path, with their schemas; those in lists left out. By
    distance and at most _MOST_FIELDS: objects that hold objects make many, and paging stands near the top."""
    left: deque[tuple[Any, Path, int]] = deque([(raw, (), 0)])
    seen = 0
    while left:
        part, path, depth = left.popleft()
        schema = _resolved(document, part)
        if depth > _DEEP:
            continue
        left.extendleft((one, path, depth + 1) for one in reversed(sequence(schema.get("allOf"))))
        for name, item in mapping(schema.get("properties")).items():
            seen += 1
            if seen > _MOST_FIELDS:
                return
            one = _resolved(document, item)
            yield (*path, str(name)), one
            left.append((one, (*path, str(name)), depth + 1))


def _lists(fields: list[tuple[Path, Any]]) -> list[tuple[Path, Any]]:
    return [(path, schema) for path, schema in fields if len(path) == 1 and _typed(schema, "array")]


def _items(document: Document, raw: Any, where: str, fields: list[tuple[Path, Any]]) -> tuple[Path, Any, str] | None:
    """Where in a page its items are: the path, the schema of the list, and where that stands."""
    schema = _resolved(document, raw)
    if _typed(schema, "array"):
        return (), schema, where
    lists = _lists(fields)
    if len(lists) > 1:
        lists = [one for one in lists if one[0][0] in _LISTS]
    if len(lists) != 1:
        return None
    (path, found), *_ = lists
    return path, found, below(where, "properties", path[0])


def _typed(schema: Any, *kinds: str) -> bool:
    found = mapping(schema).get("type")
    return any(kind in kinds for kind in (found if isinstance(found, list) else [found]))


def _integer(document: Document, parameter: dict[str, Any]) -> bool:
    return _typed(_resolved(document, parameter.get("schema")), "integer")


def _whole(schema: dict[str, Any], key: str) -> int | None:
    found = schema.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _start(document: Document, parameter: dict[str, Any]) -> dict[str, Any]:
    """The number of the first page, where that is not 1."""
    schema = _resolved(document, parameter.get("schema"))
    first = _whole(schema, "default")
    first = _whole(schema, "minimum") if first is None else first
    return {"start": 0} if first == 0 else {}


def _size(document: Document, parameter: dict[str, Any]) -> int | None:
    """How many items to ask for at once: as many as the service gives, as far as it says so."""
    schema = _resolved(document, parameter.get("schema"))
    most = _whole(schema, "maximum")
    most = _whole(schema, "default") if most is None else most
    return None if most is None or most < 1 or not _typed(schema, "integer") else min(most, _MOST_LIMIT)


def _spelled(path: Path) -> str:
    """A path as paging writes it: names with dots, a JSON pointer where a name holds other characters."""
    return ".".join(path) if all(_PLAIN.fullmatch(part) for part in path) else below("", *path)
