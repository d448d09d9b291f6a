"""What an operation answers: the status, and a body that the document gives as an example, or else one that is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import dumps
from millrace.services.mocking.bodies import is_of
from millrace.services.mocking.pages import last_page
from millrace.services.mocking.shapes import Shapes
from millrace.services.mocking.values import Unmade, make
from millrace.services.openapi.bodies import JSON, TEXT, media_name
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.operations import Operation
from millrace.services.openapi.paging import Pages, find_pages
from millrace.services.openapi.references import Document, mapping

_STATUS: Final = re.compile(r"[2-5](?:[0-9]{2}|XX)", re.IGNORECASE)
_RANKS: Final = "2d345"
"""First characters of the keys of responses, in the order in which they are chosen."""
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_OURS: Final = frozenset({"connection", "content-length", "content-type", "date", "server", "transfer-encoding"})


class Refusal(Exception):
    """An answer that was asked for and that the operation does not have."""


class Wish(Struct, frozen=True):
    """Which answer is wanted: ``code`` 0 and ``example`` empty for the usual one."""

    code: int = 0
    example: str = ""


class Made(Struct, frozen=True):
    """A body with its media type, where it is from, and the headers that go with it."""

    body: bytes
    media: str
    source: str
    headers: Mapping[str, str]


class Answers:
    """The answers of one operation. What is made once is kept."""

    def __init__(self, document: Document, shapes: Shapes, operation: Operation) -> None:
        self._document, self._shapes, self._operation = document, shapes, operation
        self._responses = {
            str(key): value
            for key, value in mapping(operation.value.get("responses")).items()
            if str(key) == "default" or _STATUS.fullmatch(str(key))
        }
        self._pages: Pages | None = find_pages(document, operation, Notes())
        self._kept: dict[tuple[str, str, str], Made] = {}

    def status(self, wish: Wish) -> tuple[int, str]:
        """The status, and the key of the response that holds it: empty for a failure that nothing is declared of.

        Raises Refusal on a success that it does not declare.
        """
        if not wish.code:
            return self._usual()
        exact, rough = str(wish.code), f"{wish.code // 100}xx"
        found = next((key for key in self._responses if key.lower() in (exact, rough)), "")
        found = found or ("default" if "default" in self._responses else "")
        if not found and wish.code < 400:
            raise Refusal(
                f"{self._operation.title} declares no answer {wish.code}; it has {', '.join(self._responses)}"
            )
        return wish.code, found

    def _usual(self) -> tuple[int, str]:
        """The first success that is declared, then what ``default`` says, then a redirect, then whatever there is."""
        ranked = sorted(self._responses, key=lambda key: (_RANKS.index(key[0]), key.lower()))
        if not ranked:
            return 200, ""
        first = ranked[0]
        return 200 if first == "default" else int(first.lower().replace("xx", "00")), first

    def body(self, key: str, wish: Wish, accept: str, query: Mapping[str, str]) -> Made:
        """The body of a response. Raises Refusal on an example that it does not have, Unmade where it has none and
        none can be made."""
        response = self._resolved(self._responses.get(key))
        content = {str(name): mapping(value) for name, value in mapping(response.get("content")).items()}
        name = _chosen(content, accept)
        kept = (key, name, wish.example)
        found = self._kept.get(kept)
        if found is None:
            found = self._kept[kept] = self._made(key, response, content, name, wish)
        if self._pages is None or not JSON.fullmatch(found.media) or key[:1] != "2":
            return found
        return last_page(self._pages.block, found, query)

    def _made(
        self, key: str, response: Mapping[str, Any], content: Mapping[str, Mapping[str, Any]], name: str, wish: Wish
    ) -> Made:
        headers = self._headers(key, response)
        if not name:
            if wish.example:
                raise Refusal(f"{self._operation.title} has no example {wish.example!r}, since its answer has no body")
            return Made(b"", "", "empty", headers)
        media = content[name]
        plain = media_name(name).replace("*/*", "application/json").replace("*", "json")
        value, source = self._said(media, wish)
        if source == "":
            where = below(self._operation.where, "responses", key, "content", name, "schema")
            schema = media.get("schema", {})
            if not JSON.fullmatch(plain) and self._shapes.kind(schema) not in ("string", "any"):
                return Made(b"", plain, "empty", headers)  # a text such as XML is not made from the schema of its data
            whole = self._shapes.whole(schema, where, "response")
            value, source = make(whole if JSON.fullmatch(plain) else {**whole, "type": "string"}), "made"
        if JSON.fullmatch(plain) or not isinstance(value, str):
            return Made(dumps(value), plain, source, headers)
        charset = "; charset=utf-8" if TEXT.fullmatch(plain) else ""
        return Made(value.encode(), plain + charset, source, headers)

    def _said(self, media: Mapping[str, Any], wish: Wish) -> tuple[Any, str]:
        """The example of a media type, and what it is called; an empty name where there is none."""
        named: dict[str, Any] = {}
        for name, value in mapping(media.get("examples")).items():
            example = self._resolved(value)
            if "value" in example:
                named[str(name)] = example["value"]
        if wish.example:
            if wish.example not in named:
                has = f"it has {', '.join(named)}" if named else "it has none with a name"
                raise Refusal(f"{self._operation.title} has no example {wish.example!r}; {has}"[:500])
            return named[wish.example], f"example {wish.example}"
        if "example" in media:
            return media["example"], "example"
        if named:
            first = next(iter(named))
            return named[first], f"example {first}"
        return None, ""

    def _headers(self, key: str, response: Mapping[str, Any]) -> dict[str, str]:
        """The declared headers, without those that lead to another page and those that cannot be made."""
        found: dict[str, str] = {}
        for name, raw in mapping(response.get("headers")).items():
            if not _HEADER.fullmatch(str(name)) or str(name).lower() in _OURS | {"link"}:
                continue
            header = self._resolved(raw)
            value, source = self._said(header, Wish())
            if source == "":
                where = below(self._operation.where, "responses", key, "headers", str(name), "schema")
                try:
                    value = make(self._shapes.whole(header.get("schema", {"type": "string"}), where, "response"))
                except Unmade:
                    continue
            text = value if isinstance(value, str) else dumps(value).decode()
            if text.isascii() and text.isprintable():
                found[str(name)] = text
        return found

    def _resolved(self, value: Any) -> dict[str, Any]:
        try:
            return mapping(self._document.resolve(value))
        except LookupError:
            return {}


def _chosen(content: Mapping[str, Any], accept: str) -> str:
    """The media type that the caller takes, as far as it says so; otherwise JSON before others."""
    for part in accept.split(","):
        wanted = media_name(part)
        for name in content:
            if wanted and wanted != "*/*" and (is_of(media_name(name), wanted) or is_of(wanted, media_name(name))):
                return name
    return next((name for name in content if JSON.fullmatch(media_name(name))), next(iter(content), ""))
