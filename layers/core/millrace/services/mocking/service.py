"""The API that a document describes, as far as its examples go: one request in, one answer out, nothing remembered.

A request that its operation does not take is refused before anything is answered, with what is wrong and where.
Credentials are never looked at, so any will do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, urlsplit

from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest
from millrace.services.mocking.answers import Answers, Refusal, Wish
from millrace.services.mocking.exchange import Answer, Misfit, Request
from millrace.services.mocking.requests import Judgement
from millrace.services.mocking.routes import Match, Routes
from millrace.services.mocking.shapes import Shapes
from millrace.services.mocking.values import Unmade
from millrace.services.openapi.naming import slug
from millrace.services.openapi.notes import Notes
from millrace.services.openapi.operations import Operation, operations
from millrace.services.openapi.references import Document, mapping, sequence, words
from millrace.services.openapi.schemas import Schemas
from millrace.services.openapi.servers import filled

_CODE: Final = re.compile(r"[2-5][0-9]{2}")
_ORDER: Final = re.compile(r"(.+)=([2-5][0-9]{2})(?::(.{1,200}))?")
_PREFERENCE: Final = re.compile(r'\s*([A-Za-z-]+)\s*=\s*(?:"([^"]*)"|([^",;\s]*))\s*')
_TITLES: Final = {
    400: "The request does not fit the operation",
    404: "There is no such operation",
    405: "The path has no such method",
    415: "The operation takes no such body",
    422: "The body does not fit the operation",
    501: "There is no answer to give",
}


class Mock:
    """``answers`` choose what operations answer unless a request prefers something else: ``getPet=404``,
    ``GET /pets/{id}=200:NAME``. Raises TooLarge past the operations that an import takes, InvalidRequest on an order
    for an operation or answer that is not there."""

    def __init__(self, document: Document, answers: list[str] | None = None) -> None:
        notes = Notes()
        found = operations(document, notes)
        info = mapping(document.value.get("info"))
        self.title = words(info.get("title"), 200) or "An API without a title"
        self.version = words(str(info.get("version", "")), 100)
        self.operations = len(found)
        self.ignored = [note.message for note in notes.kept if note.refused]
        self._document = document
        self._shapes = Shapes(document, Schemas(document, notes))
        self._routes = Routes(found, _bases(document, found))
        self._judgements: dict[str, Judgement] = {}
        self._answers: dict[str, Answers] = {}
        self._ordered: dict[str, Wish] = {}
        for order in answers or ():
            self._take(order, found)

    def answer(self, request: Request) -> Answer:
        """Raises nothing: what goes wrong is an answer too."""
        match = self._routes.find(request.path)
        if match is None:
            near = self._routes.nearest(request.method, request.path)
            said = f"; the nearest is {near[0]}" if near else ""
            return _problem(404, f"no operation has the path {request.path[:200]}{said}", nearest=near)
        operation = self._operation(match, request.method)
        if operation is None:
            allowed = ", ".join(sorted(method.upper() for method in match.operations))
            detail = f"{match.path} has {allowed}, not {request.method[:20]}"
            return _problem(405, detail, headers={"allow": allowed})
        try:
            self._judgement(operation).check(request, match.variables)
            return self._answered(operation, request)
        except Misfit as misfit:
            faults = [fault.to_json() for fault in misfit.faults]
            return _problem(misfit.status, str(misfit), operation=operation.title, errors=faults)
        except Refusal as refusal:
            return _problem(400, str(refusal), operation=operation.title)
        except Unmade:
            detail = f"{operation.title} has no example, and no value was found that fits the schema of its answer"
            return _problem(501, detail, operation=operation.title, hint="Add an example to the response.")

    def _operation(self, match: Match, method: str) -> Operation | None:
        """HEAD is answered as GET where it is not declared."""
        found = match.operations.get(method.lower())
        return match.operations.get("get") if found is None and method == "HEAD" else found

    def _answered(self, operation: Operation, request: Request) -> Answer:
        wish = _wish(request.headers.get("prefer", "")) or self._ordered.get(operation.title, Wish())
        answers = self._of(operation)
        status, key = answers.status(wish)
        if not key and status >= 400:
            return _problem(status, f"{operation.title} was told to answer {status}", operation=operation.title)
        query = {unquote_plus(name): unquote_plus(value) for name, value in request.pairs}
        made = answers.body(key, wish, request.headers.get("accept", ""), query)
        headers = {**made.headers, **({"content-type": made.media} if made.body else {})}
        return Answer(status, {**headers, "millrace-mock": made.source}, made.body, operation.title, made.source)

    def _judgement(self, operation: Operation) -> Judgement:
        found = self._judgements.get(operation.title)
        if found is None:
            found = self._judgements[operation.title] = Judgement(self._document, self._shapes, operation)
        return found

    def _of(self, operation: Operation) -> Answers:
        found = self._answers.get(operation.title)
        if found is None:
            found = self._answers[operation.title] = Answers(self._document, self._shapes, operation)
        return found

    def _take(self, order: str, found: list[Operation]) -> None:
        asked = _ORDER.fullmatch(order)
        if asked is None:
            raise InvalidRequest(
                f"{order[:80]!r} is no answer of an operation", hint="Write OPERATION=CODE or OPERATION=CODE:EXAMPLE."
            )
        name, wish = asked[1].strip(), Wish(int(asked[2]), asked[3] or "")
        meant = [one for one in found if name in (one.title, one.id, slug(one.id) or one.title)]
        if not meant:
            raise InvalidRequest(
                f"the document has no operation {name[:80]!r}",
                hint="Name it by operation id, or by method and path: GET /pets/{id}.",
            )
        for one in meant:
            try:
                _, key = self._of(one).status(wish)
                if key:
                    self._of(one).body(key, wish, "", {})
            except (Refusal, Unmade) as error:
                raise InvalidRequest(
                    str(error) or f"{one.title} has no example, and none can be made",
                    hint="Choose an answer that the document declares.",
                ) from None
            self._ordered[one.title] = wish


def _bases(document: Document, found: list[Operation]) -> list[str]:
    """The paths of the servers: a request may have the one of its server before its path."""
    lists: list[Any] = [document.value.get("servers")]
    lists += [holder.get("servers") for one in found for holder in (one.item, one.value) if "servers" in holder]
    urls = [filled(mapping(server), Notes(), "") for servers in lists for server in sequence(servers)]
    paths = []
    for url in urls:
        try:
            paths.append(urlsplit(url).path.rstrip("/"))
        except ValueError:
            continue
    return [path for path in paths if "{" not in path]


def _wish(prefer: str) -> Wish | None:
    """What a header Prefer (RFC 7240) asks for: ``code=404``, ``example=NAME``; None where it asks for neither."""
    given: dict[str, str] = {}
    for match in _PREFERENCE.finditer(prefer[:1000]):
        given.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3])
    code = given.get("code", "")
    wish = Wish(int(code) if _CODE.fullmatch(code) else 0, given.get("example", ""))
    return None if wish == Wish() else wish


def _problem(
    status: int, detail: str, *, operation: str = "", headers: Mapping[str, str] | None = None, **more: Any
) -> Answer:
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status, "An answer that was asked for"),
        "status": status,
        "detail": detail,
        **({"operation": operation} if operation else {}),
        **more,
    }
    told = {"content-type": "application/problem+json", "millrace-mock": "problem", **(headers or {})}
    return Answer(status, told, dumps(body), operation, "problem")
