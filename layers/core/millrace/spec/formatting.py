"""`millrace fmt`: one spelling of a document, with its comments where they were.

Names are replaced and keys are moved in the text itself, by the positions that the reader noted, so nothing the
author wrote can get lost; a round trip then settles the white space. Whatever the steps do is read back, and a
step that would change the document's meaning is not taken.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, Final

from millrace.base.errors import ExpressionError, InvalidDocument
from millrace.expr import Expression, Scope, Template, compile_expression, compile_template
from millrace.spec.dialect import is_dialect
from millrace.spec.dialect.document import normalise
from millrace.spec.findings import Path, has_errors
from millrace.spec.known import rename_aliases
from millrace.spec.nesting import bare_places
from millrace.spec.scopes import WORKFLOW_ROOTS
from millrace.spec.sites import texts
from millrace.spec.source import Media, Node, Source, parse_document
from millrace.spec.writing import comments_of, write_yaml

ROOT_ORDER: Final = ("apiVersion", "kind", "metadata", "spec")
SPEC_ORDER: Final = (
    "description",
    "version",
    "deprecated",
    "tags",
    "categories",
    "category",
    "examples",
    "type",
    "input",
    "inputSchema",
    "outputSchema",
    "config",
    "state",
    "timeout",
    "parallelLimit",
    "concurrency",
    "execution",
    "tasks",
    "output",
    "onFailure",
    "finally",
    "workflow",
    "tests",
)
_TESTS: Final = ("spec", "tests")
_Edit = tuple[int, int, str, str]
"""Row and column, both from 0, the text that stands there, and what is to stand there."""
_ANY_NAME: Final = Scope(WORKFLOW_ROOTS, bare="item")


def format_source(text: str, media: Media) -> str:
    """The canonical spelling of a document; formatting it again changes nothing. One of the other dialect is rewritten
    as the workflow it stands for.

    Raises InvalidDocument on a text that cannot be read, or has parts that the rewriting would lose.
    """
    if media == "json":
        return _format_json(text)
    text = _translated(text)
    wanted = _meaning(text, media)
    for step in (_rename_keys, _rewrite_expressions, _reorder, _reflow):
        changed = step(text)
        if changed != text and _meaning(changed, media) == wanted:
            text = changed
    return text


def _translated(text: str) -> str:
    source = parse_document(text.encode(), media="yaml")
    if not is_dialect(source.value):
        return text
    return write_yaml(_normalised(source).root, comments_of(source.text))


def _normalised(source: Source) -> Source:
    made = normalise(source)
    if has_errors(made.notes):
        first = next(finding for finding in made.notes if finding.severity == "error")
        findings = [finding.to_json() for finding in made.notes]
        raise InvalidDocument(
            f"{first.message} (line {first.line}, column {first.column})", hint=first.fix, facts={"findings": findings}
        )
    return made


def _meaning(text: str, media: Media) -> Any:
    """What a text says, in canonical spelling and without regard to the order of keys; None if it says nothing."""
    try:
        source = parse_document(text.encode(), media=media)
    except InvalidDocument:
        return None
    return canonical_value(source)


def canonical_value(source: Source) -> Any:
    """The document with canonical keys and expressions. Renames keys of ``source`` in place."""
    rename_aliases(source)
    return _spelled(source.value, (), frozenset(bare_places(source.value)))


def _format_json(text: str) -> str:
    source = parse_document(text.encode(), media="json")
    if is_dialect(source.value):
        source = _normalised(source)
        text = json.dumps(source.value)
    twice = has_errors(rename_aliases(source))
    value = _as_written(text) if twice else _spelled(source.value, (), frozenset(bare_places(source.value)))
    if isinstance(value, dict):
        value = _ordered(value, ROOT_ORDER)
        if isinstance(value.get("spec"), dict):
            value["spec"] = _ordered(value["spec"], SPEC_ORDER)
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _as_written(text: str) -> Any:
    """A document that says something twice keeps both, for its author to choose."""
    return parse_document(text.encode(), media="json").value


def _ordered(value: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {key: value[key] for key in _key_order(list(value), order)}


def _key_order(keys: list[str], order: tuple[str, ...]) -> list[str]:
    rank = {key: index for index, key in enumerate(order)}
    return sorted(keys, key=lambda key: rank.get(key, len(order)))


def _spelled(value: Any, path: Path, bare: Collection[Path]) -> Any:
    if path == _TESTS:
        return value  # mocks and expected values are data, whatever they look like
    if isinstance(value, dict):
        return {name: _spelled(item, (*path, name), bare) for name, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item, (*path, index), bare) for index, item in enumerate(value)]
    return _respelled(value, bare=path in bare) if isinstance(value, str) else value


def _respelled(text: str, *, bare: bool) -> str:
    """A text whose expressions use our names; as it was if they do not compile."""
    if not bare and "{{" not in text:
        return text
    compiled: Expression | Template
    try:
        compiled = (compile_expression if bare else compile_template)(text, scope=_ANY_NAME)
    except ExpressionError:
        return text
    notes = [note for note in compiled.warnings if note.code in ("alias", "braces") and note.fix]
    for note in sorted(notes, key=lambda note: (note.offset, -note.length), reverse=True):
        if note.code == "alias":
            text = text[: note.offset] + note.fix + text[note.offset + note.length :]
    if any(note.code == "braces" for note in notes):
        text = text.strip()[2:-2].strip()
    return text


def _rename_keys(text: str) -> str:
    source = parse_document(text.encode(), media="yaml")
    lines = text.splitlines(keepends=True)
    edits = []
    for finding in rename_aliases(source):
        if finding.code == "alias-spelling":
            alias = finding.message.split('"')[1]
            edits.append((finding.line - 1, finding.column - 1, alias, str(finding.path[-1])))
    return _edited(lines, edits)


def _rewrite_expressions(text: str) -> str:
    source = parse_document(text.encode(), media="yaml")
    lines = text.splitlines(keepends=True)
    edits: list[_Edit] = []
    bare = frozenset(bare_places(source.value))
    for path, old in texts(source.value):
        if path[:2] == _TESTS:
            continue
        new = _respelled(old, bare=path in bare)
        if new != old:
            line, column = source.position(path)
            if lines[line - 1][column - 1 : column] in ("|", ">"):
                edits += _in_block(lines, line - 1, bare=path in bare)
                continue
            quoted = lines[line - 1][column - 1 : column] in ("'", '"')
            edits.append((line - 1, column - 1 + quoted, old, new))
    return _edited(lines, edits)


def _in_block(lines: list[str], head: int, *, bare: bool) -> Iterator[_Edit]:
    """Replacements on the lines of a block scalar that begins in line ``head``; expressions over several stay."""
    around = _indent(lines[head])
    for row in range(head + 1, len(lines)):
        old = lines[row].strip()
        if old and _indent(lines[row]) <= around:
            return
        new = _respelled(old, bare=bare)
        if new != old:
            yield row, _indent(lines[row]), old, new


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _edited(lines: list[str], edits: list[_Edit]) -> str:
    """Replacements on single lines, last first; one that does not find its text (escapes, folding) is left."""
    for row, column, old, new in sorted(edits, reverse=True):
        line = lines[row]
        start = line.find(old, column, column + len(old) + 1)
        if start >= 0:
            lines[row] = line[:start] + new + line[start + len(old) :]
    return "".join(lines)


def _reorder(text: str) -> str:
    for path, order in (((), ROOT_ORDER), (("spec",), SPEC_ORDER)):
        source = parse_document(text.encode(), media="yaml")
        node: Node | None = source.root
        for part in path:
            node = node.children.get(part) if node is not None else None
        if node is not None and isinstance(node.value, dict):
            text = _move(text, node, order)
    return text


def _move(text: str, node: Node, order: tuple[str, ...]) -> str:
    """Moves whole blocks of lines: a key with its value and the comments right above it."""
    keys = list(node.keys)
    wanted = _key_order(keys, order)
    rows = [node.keys[key][0] - 1 for key in keys]
    columns = {node.keys[key][1] for key in keys}
    if wanted == keys or len(set(rows)) != len(rows) or len(columns) != 1:
        return text
    lines = text.splitlines(keepends=True)
    column = columns.pop() - 1
    if any(lines[row][:column].strip() for row in rows):
        return text
    starts = []
    for row in rows:
        while row > 0 and lines[row - 1].lstrip().startswith("#") and row - 1 not in rows:
            row -= 1
        starts.append(row if row > 0 else rows[0])  # a comment that opens the file belongs to the file
    end = _end(lines, rows[-1], column)
    bounds = [*starts, end]
    blocks = {key: lines[bounds[i] : bounds[i + 1]] for i, key in enumerate(keys)}
    last = blocks[keys[-1]]
    if last and not last[-1].endswith("\n"):
        last[-1] += "\n"
    return "".join([*lines[: starts[0]], *(line for key in wanted for line in blocks[key]), *lines[end:]])


def _end(lines: list[str], row: int, column: int) -> int:
    """The line behind the last block: the next one that is less indented, or the end of the document."""
    for index in range(row + 1, len(lines)):
        stripped = lines[index].strip()
        if stripped in ("---", "...") or (stripped and not stripped.startswith("#") and _indent(lines[index]) < column):
            return index
    return len(lines)


def _reflow(text: str) -> str:
    """White space as the round trip of ruamel.yaml writes it, if it writes that again the second time. What it cannot
    take, such as a date that does not exist, stays as it is."""
    once = _round_trip(text)
    return once if once == _round_trip(once) else text


@cache
def _representer() -> Any:
    """That of the round trip, but that null is written: as nothing at all it is easily overlooked."""
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        def represent_none(self, _data: Any) -> Any:
            return self.represent_scalar("tag:yaml.org,2002:null", "null")

    Representer.add_representer(type(None), Representer.represent_none)
    return Representer


def _round_trip(text: str) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml: Any = YAML(typ="rt")
    yaml.Representer = _representer()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    try:
        yaml.dump(yaml.load(text), out)
    except (YAMLError, ValueError, ArithmeticError):
        return text
    return out.getvalue()
