"""Documents in files: which there are, what each holds, and publishing them through the API like anybody else.

A YAML file may hold several documents between ``---`` lines. Such a line at the first column always ends a YAML
document, whatever surrounds it, so splitting the text there needs no parser and keeps every comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.canonical import content_hash
from millrace.base.limits import DOCUMENT_BYTES
from millrace.local.client import Client, Refused

SUFFIXES: Final = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
_SEPARATOR: Final = re.compile(rb"^---(?=\s|$)[^\S\n]*", re.MULTILINE)
_KIND: Final = re.compile(
    rb"""^(?:\xef\xbb\xbf)?[^\S\n]*(?:\{(?:[^\n]*?,)??[^\S\n]*)?["']?kind["']?\s*:\s*["']?(Workflow|WorkflowTask|WorkflowTest)\b""",
    re.MULTILINE,
)
_MEANT: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?["']?(?:apiVersion|spec)["']?\s*:""", re.MULTILINE)
_MEANT_FLOW: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*\{\s*(?:"[^"]*"\s*:\s*"[^"]*"\s*,\s*)*["']?(?:apiVersion|spec)["']?\s*:"""
)
_OTHER_API: Final = re.compile(rb"""\bapiVersion["']?\s*:\s*["']?(?!workflow\.io\b)\w""")
_ANY_KIND: Final = re.compile(rb"""\bkind["']?\s*:\s*["']?\w""")
_HEAD_BYTES: Final = 4096
_CONTENT: Final = re.compile(rb"^[^\s#%]", re.MULTILINE)
_SCALAR: Final = re.compile(r""""[^"]*"|'[^']*'|[^\s#,}\]]+""")
_FILE_BYTES: Final = 16 * DOCUMENT_BYTES


class Document(Struct, frozen=True):
    """One document of a file. ``before`` is the number of lines of the file above it."""

    file: Path
    text: bytes
    media: str
    before: int

    @property
    def kind(self) -> str:
        """Workflow, WorkflowTask, WorkflowTest, or empty when the text names none of them."""
        match = _KIND.search(self.text)
        if match:
            return match[1].decode()
        from millrace.spec.dialect import looks_like_dialect

        return "Workflow" if looks_like_dialect(self.text) else ""


class Published(Struct, frozen=True):
    """What became of one document. ``status`` is 201 (new), 200 (unchanged), or the status of a refusal, whose
    problem is then in ``answer``."""

    document: Document
    status: int
    answer: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Findings with the lines of the file, not of the document."""
        found = self.answer.get("findings") or []
        return [{**one, "line": one["line"] + self.document.before if one.get("line") else 0} for one in found]


def files_in(folder: Path) -> list[Path]:
    """Every file with a suffix of ours below a folder, hidden ones left out, in order of their paths."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_file(path: Path) -> list[Document]:
    """The documents of one file, empty ones left out. Raises OSError. A file that is much too long comes back as one
    document, cut, which the limit on documents then refuses."""
    with path.open("rb") as stream:
        data = stream.read(_FILE_BYTES + 1)
    media = SUFFIXES.get(path.suffix, "yaml")
    if media == "json" or len(data) > _FILE_BYTES:
        return [Document(path, data, media, 0)]
    found: list[Document] = []
    start = 0
    for match in [*_SEPARATOR.finditer(data), None]:
        end = match.start() if match else len(data)
        if _CONTENT.search(data, start, end):
            found.append(Document(path, data[start:end], media, data.count(b"\n", 0, start)))
        start = match.end() if match else end
    return found or [Document(path, data, media, 0)]


def is_ours(document: Document) -> bool:
    """Whether a file found in a folder is meant for Millrace at all: other YAML may stand beside it.

    Meant is what names a kind of ours, and what begins with ``apiVersion`` or ``spec`` without one: that kind is
    missing or misspelt, and somebody should hear of it. A document that names both a kind and an API of somebody
    else, as Kubernetes manifests do, is theirs.
    """
    if document.kind:
        return True
    head = document.text[:_HEAD_BYTES]
    if not (_MEANT.search(head) or _MEANT_FLOW.match(head)):
        return False
    return not (_OTHER_API.search(head) and _ANY_KIND.search(head))


def tasks_first(documents: Iterable[Document]) -> list[Document]:
    """What is published of some documents, in an order in which no workflow comes before a task; tests stay here."""
    published = [document for document in documents if document.kind != "WorkflowTest"]
    return sorted(published, key=lambda document: document.kind != "WorkflowTask")


def publish(client: Client, document: Document, query: Mapping[str, str] | None = None) -> Published:
    """Publish one document; ``query`` is what the route takes beside it. A refusal is an answer here; raises
    Unavailable when no server answers."""
    try:
        status, answer = client.publish(document.kind, document.text, media=document.media, query=query)
    except Refused as refused:
        return Published(document, refused.status, refused.facts)
    return Published(document, status, answer)


def development_version(document: Document) -> Document:
    """The same document under the label ``<label>+dev.<hash8>``, so that each saved state of a file is a version.

    The hash is of the content without its comments and label. A document without a label, or one that cannot be
    read, comes back as it is: then the API chooses a label, or refuses it and says why.
    """
    from millrace.spec import load

    loaded = load(document.text, media="json" if document.media == "json" else "yaml")
    if loaded.document is None or loaded.document.spec.version is None:
        return document
    label = loaded.document.spec.version
    spec = loaded.value["spec"]
    rest = {**loaded.value, "spec": {name: value for name, value in spec.items() if name != "version"}}
    digest = content_hash(rest)[:8]
    line, column = loaded.source.position(("spec", "version"))
    if "+" in label:
        return document
    lines = document.text.decode().split("\n")
    at = column - 1
    lines[line - 1] = lines[line - 1][:at] + _SCALAR.sub(f'"{label}+dev.{digest}"', lines[line - 1][at:], count=1)
    return replace(document, text="\n".join(lines).encode())
