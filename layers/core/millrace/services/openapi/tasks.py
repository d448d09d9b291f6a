"""One WorkflowTask for each operation of an OpenAPI document, one at a time, so that memory does not grow with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from millrace.base.canonical import dumps, sha256
from millrace.base.errors import InvalidRequest
from millrace.base.limits import OPENAPI_TASK_BYTES
from millrace.services.openapi import parameters
from millrace.services.openapi.bodies import Body, read_body
from millrace.services.openapi.encoding import literal, percent, whole
from millrace.services.openapi.naming import slug, task_names
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.operations import Operation, operations
from millrace.services.openapi.paging import Pages, find_pages
from millrace.services.openapi.parameters import Spelling, Unmappable, spell_parameters
from millrace.services.openapi.references import Document, mapping, sequence, words
from millrace.services.openapi.responses import Answers, read_answers
from millrace.services.openapi.schemas import Piece, Schemas
from millrace.services.openapi.security import Credentials, read_security
from millrace.services.openapi.servers import base_url
from millrace.spec.tasks.http_paging import paged_body

ANNOTATION: Final = "openapi"
SOURCE_LABEL: Final = "openapi-source"
HASH_LABEL: Final = "openapi-hash"
HASH_CHARS: Final = 32
EXAMPLE_BYTES: Final = 4 * 1024
TAGS: Final = 10
_ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")
_FRAME_BYTES: Final = 2 * 1024  # what a document holds besides its essence
_BUDGETS: Final = (12 * 1024, 6 * 1024, 2 * 1024)
"""Bytes for the input schema and again for the output schema; the next one where the task is too large."""


class Options(Struct, frozen=True):
    """``source`` names the API in labels (default: its title), so that a later import finds its tasks; ``prefix``
    begins every task name; ``server`` replaces the document's servers; ``server_env`` names a key of ``env``, whose
    value replaces both where an execution has it; ``document_url`` is where the document came from; with
    ``check_responses`` a body that does not fit its schema fails the attempt."""

    source: str = ""
    prefix: str = ""
    server: str = ""
    server_env: str = ""
    document_url: str = ""
    check_responses: bool = False


class Generated(Struct, frozen=True):
    """A task document, plain JSON, with the operation it is for (``GET /users/{id}``) and the secrets that it needs
    by name, each with its security scheme."""

    name: str
    operation: str
    where: str
    document: dict[str, Any]
    secrets: dict[str, str]

    @property
    def hash(self) -> str:
        return str(self.document["metadata"]["labels"][HASH_LABEL])


class Conversion:
    """The conversion of one document. ``total`` counts operations; ``notes`` fills while `tasks` is read."""

    def __init__(self, document: Document, options: Options) -> None:
        if options.server_env and not _ENV.fullmatch(options.server_env):
            raise InvalidRequest(
                f"{options.server_env[:80]!r} is no key of env",
                hint="Use letters, digits and underscores, as in API_URL.",
            )
        self.notes = Notes()
        self.options = options
        self._document = document
        self._schemas = Schemas(document, self.notes)
        self._operations = operations(document, self.notes)
        self.total = len(self._operations)
        info = mapping(document.value.get("info"))
        self.title = words(info.get("title"), 200)
        self.version = words(str(info.get("version", "")), 100)
        self.document_hash = document.hash
        self.source = (slug(options.source) or slug(self.title) or "openapi")[:63].strip("-")
        triples = [(one.path, one.method, one.id) for one in self._operations]
        self._names = task_names(triples, prefix=slug(options.prefix)[:30].strip("-"))

    def tasks(self) -> Iterator[Generated]:
        """In the order of the document. An operation that cannot be a task is noted instead. Raises InvalidRequest
        when the document names no absolute server."""
        for operation in self._operations:
            try:
                yield self._task(operation)
            except Unmappable as error:
                self.notes.add(error.code, error.where, f"{operation.title[:120]}: {error.message}", refused=True)

    def titles(self) -> frozenset[str]:
        """The operations of the document, whether or not they can be tasks."""
        return frozenset(one.title for one in self._operations)

    def _task(self, operation: Operation) -> Generated:
        document, notes, value = self._document, self.notes, operation.value
        body = read_body(
            document, self._schemas, notes, value.get("requestBody"), below(operation.where, "requestBody")
        )
        pages = find_pages(document, operation, notes)
        spelling = spell_parameters(
            document,
            self._schemas,
            notes,
            shared=(operation.item.get("parameters"), below(operation.item_where, "parameters")),
            own=(value.get("parameters"), below(operation.where, "parameters")),
            taken=frozenset() if body is None else frozenset({"body"}),
            omit=frozenset() if pages is None else pages.omit,
        )
        answers = read_answers(
            document, self._schemas, notes, value.get("responses"), below(operation.where, "responses")
        )
        credentials = read_security(document, notes, value, operation.where)
        request = self._request(operation, spelling, body, answers, credentials)
        if pages is not None:
            request["paging"] = pages.block
        for budget in _BUDGETS:
            made = self._document_of(operation, request, spelling, body, answers, budget, pages)
            essence = _essence(made)
            if len(essence) <= OPENAPI_TASK_BYTES - _FRAME_BYTES:
                break
        else:
            raise Unmappable("task-size", operation.where, f"the task would be larger than {OPENAPI_TASK_BYTES} bytes")
        made["metadata"]["labels"][HASH_LABEL] = sha256(essence)[:HASH_CHARS]
        return Generated(made["metadata"]["name"], operation.title, operation.where, made, credentials.secrets)

    def _request(
        self, operation: Operation, spelling: Spelling, body: Body | None, answers: Answers, credentials: Credentials
    ) -> dict[str, Any]:
        url = self._url(operation, spelling)
        headers = {**spelling.headers, **(body.headers if body else {}), **credentials.headers}
        if answers.accept:
            headers["Accept"] = answers.accept
        if spelling.cookies and "Cookie" in headers:
            self.notes.add("cookie", operation.where, "cookies of parameters and of security cannot be sent together")
        elif spelling.cookies:
            headers["Cookie"] = parameters.cookie_header(spelling)
        request: dict[str, Any] = {"method": operation.method.upper(), "url": url}
        blocks = {"headers": headers, "query": {**spelling.query, **credentials.query}}
        request |= {key: block for key, block in blocks.items() if block}
        if body is not None:
            request |= body.request
        if credentials.auth is not None:
            request["auth"] = credentials.auth
        if answers.codes != ("2xx",):
            request["successCodes"] = list(answers.codes)
        return request

    def _url(self, operation: Operation, spelling: Spelling) -> str:
        base = self._base(operation)
        path, last = "", 0
        for match in _VARIABLE.finditer(operation.path):
            name = match[1]
            if name not in spelling.path:
                raise Unmappable("path-parameter", operation.where, f"no parameter declares {{{name[:60]}}}")
            path += _constant(operation.path[last : match.start()]) + spelling.path[name]
            last = match.end()
        for name in spelling.path.keys() - set(_VARIABLE.findall(operation.path)):
            raise Unmappable("path-parameter", operation.where, f"the path does not hold {{{name[:60]}}}")
        url = base + path + _constant(operation.path[last:]) + parameters.raw_query(spelling)
        if len(url) > 8192:
            raise Unmappable("url", operation.where, "the template of the URL is longer than 8192 characters")
        return url

    def _base(self, operation: Operation) -> str:
        """The address that paths follow: a constant, or an expression of ``server_env`` with that as its default."""
        named = self.options.server_env
        try:
            base = base_url(
                [
                    (operation.value.get("servers"), below(operation.where, "servers")),
                    (operation.item.get("servers"), below(operation.item_where, "servers")),
                    (self._document.value.get("servers"), "/servers"),
                ],
                self.notes,
                server=self.options.server,
                document_url=self.options.document_url.split("#")[0].split("?")[0],
            )
        except InvalidRequest:
            if not named or self.options.server:
                raise
            return whole(f"env.{named}")
        return whole(f"env.{named} ?? {literal(base)}") if named else base

    def _document_of(
        self,
        operation: Operation,
        request: dict[str, Any],
        spelling: Spelling,
        body: Body | None,
        answers: Answers,
        budget: int,
        pages: Pages | None,
    ) -> dict[str, Any]:
        value = operation.value
        deprecated = value.get("deprecated") is True
        tags = [word for tag in sequence(value.get("tags"))[:TAGS] if (word := words(tag, 60))]
        about = {
            "source": self.source,
            "title": self.title,
            "version": self.version,
            "operation": operation.title,
            "operationId": words(operation.id, 200),
            "documentHash": self.document_hash,
            "deprecated": deprecated,
        }
        if self.options.document_url:
            about["url"] = words(self.options.document_url.split("?")[0], 500)
        text = words(value.get("summary"), 200) or words(value.get("description"), 1000) or operation.title
        spec: dict[str, Any] = {
            "description": f"Deprecated. {text}" if deprecated else text,
            "tags": tags + (["deprecated"] if deprecated and "deprecated" not in tags else []),
        }
        if deprecated:
            spec["deprecated"] = True
        if tags and slug(tags[0]):
            spec["category"] = slug(tags[0])
        example = _example(spelling, body)
        if example is not None:
            spec["examples"] = [{"name": "from the document", "input": example}]
        spec["type"] = "http"
        spec["inputSchema"] = self._input_schema(operation, spelling, body, budget)
        schema, shared = self._body_schema(operation, answers, budget)
        spec["outputSchema"] = _output_schema(answers, schema, shared)
        if pages is not None:
            items, more = self._items_schema(pages, budget)
            spec["outputSchema"] = _output_schema(answers, items, more, {"pages": {"type": "integer"}})
        spec["request"] = dict(request)
        if self.options.check_responses and schema != {}:
            spec["request"]["responseSchema"] = _with_shared(schema, shared)
        return {
            "apiVersion": "workflow.io/v1",
            "kind": "WorkflowTask",
            "metadata": {
                "name": self._names[(operation.path, operation.method)],
                "labels": {SOURCE_LABEL: self.source},
                "annotations": {ANNOTATION: about},
            },
            "spec": spec,
        }

    def _input_schema(self, operation: Operation, spelling: Spelling, body: Body | None, budget: int) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        refs: dict[str, None] = {}
        size = 0
        pieces = dict(spelling.inputs)
        if body is not None:
            pieces["body"] = body.piece
        for name, piece in pieces.items():
            kept = piece if size + piece.size <= budget else _open(self.notes, operation.where)
            size += kept.size + len(name)
            refs |= dict.fromkeys(kept.refs)
            said = spelling.about.get(name, "")
            properties[name] = {**kept.schema, "description": said} if said and kept.schema is not True else kept.schema
        frame = Piece({}, tuple(refs), min(size, budget))
        _, shared = self._schemas.assemble(frame, budget, "request", operation.where)
        required = spelling.required + (["body"] if body is not None and body.required else [])
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        schema["additionalProperties"] = False
        return {**schema, "$defs": shared} if shared else schema

    def _items_schema(self, pages: Pages, budget: int) -> tuple[Any, dict[str, Any]]:
        """The schema of the body that all pages together make."""
        piece = self._schemas.piece(pages.items, pages.where, "response")
        frame = paged_body()
        frame["properties"]["items"] = piece.schema
        return self._schemas.assemble(Piece(frame, piece.refs, piece.size + 120), budget, "response", pages.where)

    def _body_schema(self, operation: Operation, answers: Answers, budget: int) -> tuple[Any, dict[str, Any]]:
        bodies = answers.bodies
        if len(bodies) == 1:
            return self._schemas.assemble(bodies[0], budget, "response", below(operation.where, "responses"))
        refs = dict.fromkeys(name for piece in bodies for name in piece.refs)
        size = sum(piece.size for piece in bodies)
        whole = Piece({"anyOf": [piece.schema for piece in bodies]}, tuple(refs), size)
        return self._schemas.assemble(whole, budget, "response", below(operation.where, "responses"))


def operation_hash(document: dict[str, Any]) -> str:
    """What a generated task says, without what changes with every edition of its API: version and document hash. A
    task whose label still has this hash was not edited since."""
    return sha256(_essence(document))[:HASH_CHARS]


def _essence(document: dict[str, Any]) -> bytes:
    metadata = document["metadata"]
    about = mapping(mapping(metadata.get("annotations")).get(ANNOTATION))
    kept = {key: value for key, value in about.items() if key not in ("version", "documentHash", "url")}
    labels = {key: value for key, value in mapping(metadata.get("labels")).items() if key != HASH_LABEL}
    spec = {key: value for key, value in document["spec"].items() if key != "version"}
    return dumps({"name": metadata["name"], "labels": labels, "about": kept, "spec": spec})


def _constant(text: str) -> str:
    """A constant part of a path: what may not stand in a URL is encoded, braces above all."""
    return "".join(char if char.isascii() and (char.isalnum() or char in _SAFE) else percent(char) for char in text)


_SAFE: Final = "/-._~!$&'()*+,;=:@%"


def _open(notes: Notes, where: str) -> Piece:
    notes.add("schema-cut", where, "the input schema is too large; its further parts are left open")
    return Piece({}, (), 2)


def _with_shared(schema: Any, shared: dict[str, Any]) -> Any:
    return {**schema, "$defs": shared} if shared and isinstance(schema, dict) else schema


def _output_schema(
    answers: Answers, body: Any, shared: dict[str, Any], more: dict[str, Any] | None = None
) -> dict[str, Any]:
    exact = [code for code in answers.codes if isinstance(code, int)]
    known = {"enum": exact} if len(exact) == len(answers.codes) else {}
    schema = {
        "type": "object",
        "properties": {
            "status": {"type": "integer", **known},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "body": body,
            **(more or {}),
            "durationMs": {"type": "integer"},
        },
        "required": ["status", "headers", "body", *(more or {}), "durationMs"],
        "additionalProperties": False,
    }
    return {**schema, "$defs": shared} if shared else schema


def _example(spelling: Spelling, body: Body | None) -> dict[str, Any] | None:
    """An example input, where the document has one for everything that is required."""
    example = dict(spelling.example)
    if body is not None and body.example is not None:
        example["body"] = body.example
    needed = [*spelling.required, *(["body"] if body is not None and body.required else [])]
    if not example or any(name not in example for name in needed) or len(dumps(example)) > EXAMPLE_BYTES:
        return None
    return example
