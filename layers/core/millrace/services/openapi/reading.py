"""From bytes to an OpenAPI document: larger than our own documents may be, and judged as strictly.

JSON goes through the canonical layer. YAML is built from the parser's events, without the positions that our own
documents keep: at this size they would cost ten times the memory of the values.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NoReturn

from millrace.base.canonical import parse_json
from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import JSON_DEPTH, JSON_NODES, OPENAPI_BYTES
from millrace.services.openapi.references import Document
from millrace.spec.core_schema import resolve

_HINT: Final = "Send an OpenAPI document of version 3.0 or 3.1, as JSON or YAML."
_SCALAR_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:str"})


def read_openapi(data: bytes) -> Document:
    """The document in ``data``, at most OPENAPI_BYTES; text that begins with a brace is JSON, any other is YAML.

    Raises TooLarge (bytes or values), and InvalidRequest, with line and column where there is one, on what cannot
    be read or is no OpenAPI 3.0 or 3.1 document.
    """
    if len(data) > OPENAPI_BYTES:
        raise TooLarge(
            f"the OpenAPI document has {len(data)} bytes, more than {OPENAPI_BYTES}",
            hint="Split it by paths, and import each part with its own source name.",
            facts={"limit": OPENAPI_BYTES, "size": len(data)},
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    value = parse_json(data) if data.lstrip()[:1] == b"{" else _yaml(data)
    if not isinstance(value, dict):
        raise InvalidRequest("the OpenAPI document is not a mapping", hint=_HINT)
    version = value.get("openapi")
    if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
        said = f"openapi is {str(version)[:20]!r}" if "openapi" in value else "there is no key openapi"
        if "swagger" in value:
            said = f"it is a Swagger {str(value['swagger'])[:10]} document"
        raise InvalidRequest(f"this is not an OpenAPI 3.0 or 3.1 document: {said}", hint=_HINT)
    if not isinstance(value.get("paths", {}), dict):
        raise InvalidRequest("paths of the OpenAPI document is not a mapping", hint=_HINT)
    return Document(value, version[:3], hashlib.sha256(data).hexdigest())


def _yaml(data: bytes) -> Any:
    import yaml

    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"byte {error.start} of the document is not UTF-8", hint="Save it as UTF-8.") from None
    if not text.strip():
        raise InvalidRequest("the OpenAPI document is empty", hint=_HINT)
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _fail(f"not valid YAML: {error.problem or error.context}", mark)
    except yaml.reader.ReaderError as error:
        raise InvalidRequest(f"not valid YAML: {error.reason}", hint="Take the character out.") from None
    _check_expanded(builder.root)
    return builder.root


class _Builder:
    """Puts the values of events together. Aliases share what they name, so nothing grows here."""

    def __init__(self) -> None:
        self.root: Any = None
        self._stack: list[tuple[Any, str | None]] = []
        self._keys: list[str | None] = []
        self._anchors: dict[str, Any] = {}
        self._open: set[str] = set()
        self._nodes = 0

    def take(self, event: Any) -> None:
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            if self._expects_key():
                self._key(event)
            else:
                self._place(self._named(event, self._scalar(event)))
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin(event, {})
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin(event, [])
        elif isinstance(event, yaml.CollectionEndEvent):
            value, anchor = self._stack.pop()
            self._keys.pop()
            if anchor:
                self._open.discard(anchor)
            self._place(value)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            _fail("more than one document", event.start_mark, "Send one document, without a second ---.")

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1][0], dict) and self._keys[-1] is None

    def _key(self, event: Any) -> None:
        key = event.value
        if key == "<<" and event.implicit[0]:
            _fail("the merge key << is not part of YAML 1.2", event.start_mark, "Write the keys out.")
        if key in self._stack[-1][0]:
            _fail(f"the key {key[:80]!r} is given twice", event.start_mark, "Keep one of them.")
        self._keys[-1] = self._named(event, key)

    def _scalar(self, event: Any) -> Any:
        if event.tag not in _SCALAR_TAGS:
            _fail(f"the tag {event.tag[:40]} is not allowed", event.start_mark, "Take the tag out.")
        if event.tag is not None or not event.implicit[0]:
            return event.value
        try:
            return resolve(event.value)
        except ValueError as error:
            _fail(str(error), event.start_mark, "Write it as quoted text, or use another value.")

    def _begin(self, event: Any, empty: Any) -> None:
        if self._expects_key():
            _fail("a key must be text", event.start_mark, "Use text as the key.")
        if len(self._stack) >= JSON_DEPTH:
            _fail(f"nested deeper than {JSON_DEPTH} levels", event.start_mark, "Flatten the document.")
        if event.anchor:
            self._open.add(event.anchor)
        self._stack.append((self._named(event, empty), event.anchor))
        self._keys.append(None)

    def _named(self, event: Any, value: Any) -> Any:
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _alias(self, event: Any) -> None:
        if event.anchor in self._open:
            _fail(f"the alias *{event.anchor[:40]} stands inside of what it names", event.start_mark, "Write it out.")
        if event.anchor not in self._anchors or self._expects_key():
            _fail(f"the alias *{event.anchor[:40]} cannot stand here", event.start_mark, "Write the value out.")
        self._place(self._anchors[event.anchor])

    def _place(self, value: Any) -> None:
        self._nodes += 1
        if self._nodes > JSON_NODES:
            raise _too_many()
        if not self._stack:
            self.root = value
        elif isinstance(self._stack[-1][0], list):
            self._stack[-1][0].append(value)
        else:
            key = self._keys[-1]
            self._keys[-1] = None
            self._stack[-1][0][key] = value


def _check_expanded(root: Any) -> None:
    """The limits again, with every alias written out, as every later reader of the value will meet it."""
    nodes = 0
    left: list[tuple[Any, int]] = [(root, 1)]
    while left:
        value, depth = left.pop()
        nodes += 1
        if nodes > JSON_NODES:
            raise _too_many()
        if depth > JSON_DEPTH + 1:
            raise InvalidRequest(f"nested deeper than {JSON_DEPTH} levels", hint="Flatten the document.")
        if isinstance(value, dict):
            left += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            left += [(item, depth + 1) for item in value]


def _too_many() -> TooLarge:
    return TooLarge(
        f"the OpenAPI document holds more than {JSON_NODES} values",
        hint="Split it by paths, and import each part with its own source name.",
        facts={"limit": JSON_NODES, "size": JSON_NODES + 1, "unit": "values"},
    )


def _fail(message: str, mark: Any, hint: str = "Correct the YAML.") -> NoReturn:
    line, column = mark.line + 1, mark.column + 1
    raise InvalidRequest(
        f"{message} (line {line}, column {column})", hint=hint, facts={"line": line, "column": column}
    ) from None
