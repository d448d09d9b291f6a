"""Bytes into values with positions, under hostile conditions."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.canonical import dumps
from millrace.base.errors import InvalidDocument
from millrace.base.limits import DOCUMENT_ALIASES, DOCUMENT_BYTES, DOCUMENT_DEPTH, DOCUMENT_NODES
from millrace.spec import load, load_source, parse_document, parse_documents
from millrace.spec.source import Media, read_document
from tests.unit.spec.builders import HTTP, brief, flow

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4), max_leaves=15
)


def yaml(text: str) -> object:
    return parse_document(text.encode(), media="yaml").value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("2024-01-01", "2024-01-01"),
        ("1:30:00", "1:30:00"),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("+7", 7),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-", [None]),
        ("-x", "-x"),
        ("~", None),
        ("Null", None),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("1_000", "1_000"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5.0),
        ("!!null ~", None),
        ("!!bool true", True),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("{200: a, on: b, null: c, !!str d: e}", {"200": "a", "on": "b", "null": "c", "d": "e"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("&k a: 1\nb: *k", {"a": 1, "b": "a"}),
        ("a: &x 5\nb: *x", {"a": 5, "b": 5}),
        ("'<<': 1", {"<<": 1}),
        ("%YAML 1.2\n---\na: 1", {"a": 1}),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_yaml_is_read_by_the_core_schema_of_version_one_two(text: str, value: object) -> None:
    assert (value, type(value)) == (yaml(text), type(yaml(text)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: *x", "syntax"),
        ("a: \x07", "syntax"),
        ("a: b: c", "syntax"),
        ("%YAML 1.1\n---\na: 1", "syntax"),
        ("a: !!int x", "tag"),
        ("a: !!map [1]", "tag"),
        ("!!seq k: 1", "tag"),
        ("a: !own x", "tag"),
        ("a: -.INF", "bad-number"),
        ("a: .nan", "bad-number"),
        ("a: 1e999", "bad-number"),
        ("a: 1." + "0" * 500, "bad-number"),
        ("a: " + "9" * 39, "bad-number"),
        ("a: 0x" + "f" * 200_000, "bad-number"),
        ("a: &a x\n*a : 1", "key-not-text"),
        ("{a: " * 65, "too-deep"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30, "too-deep"),
        ("a0: &a0 [x,x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i},*a{i}]\n" for i in range(16)), "too-many-nodes"),
        ('a: "\\ud800"', "syntax"),
    ],
)
def test_hostile_yaml_is_one_finding(text: str, code: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        yaml(text)
    assert [code] == [finding["code"] for finding in caught.value.facts["findings"]]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("a:\n\tb: 1\n", "Indent with spaces: YAML takes no tab there."),
        ("a:\n  b: 1\n \t c: 2\n", "Indent with spaces: YAML takes no tab there."),
        ("a: b: c\td\n", "Correct the YAML."),
        ("a: [1\n", "Correct the YAML."),
    ],
)
def test_a_tab_that_indents_is_named_in_the_fix(text: str, fix: str) -> None:
    assert [fix] == [one.fix for one in load(text.encode(), media="yaml").findings]


ONE_TOO_MANY = f"more than {DOCUMENT_NODES} values"


@pytest.mark.repeats
@pytest.mark.parametrize("media", ["yaml", "json"])
@pytest.mark.parametrize("value", ["1", "[]", "{}"])
def test_a_document_holds_exactly_so_many_values_and_not_one_more(media: Media, value: str) -> None:
    """Half of it in collections: with their own the outer list and the list of what is counted twice would show."""
    half = DOCUMENT_NODES // 2
    full = f"[{(value + ',') * (half - 1)}{'1,' * (half - 1)}1]".encode()
    assert DOCUMENT_NODES - 1 == len(parse_document(full, media=media).value)
    with pytest.raises(InvalidDocument, match=ONE_TOO_MANY):
        parse_document(full[:-1] + b",1]", media=media)


@pytest.mark.repeats
@pytest.mark.parametrize("anchored", ["[1,[1],{a: 1}]", "x", "{a: {b: []}}"])
def test_an_alias_counts_for_as_many_values_as_it_stands_for(anchored: str) -> None:
    size = _size(parse_document(anchored.encode(), media="yaml").value)
    rest = DOCUMENT_NODES - 1 - 3 * size
    full = f"[&a {anchored},*a,*a{',1' * rest}]".encode()
    assert rest + 3 == len(parse_document(full, media="yaml").value)
    with pytest.raises(InvalidDocument, match=ONE_TOO_MANY):
        parse_document(full[:-1] + b",1]", media="yaml")


def _size(value: object) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, below))


@pytest.mark.parametrize("media", ["yaml", "json"])
def test_a_document_is_nested_exactly_so_deep_and_not_deeper(media: Media) -> None:
    full = "[" * DOCUMENT_DEPTH + "]" * DOCUMENT_DEPTH
    assert parse_document(full.encode(), media=media).value
    with pytest.raises(InvalidDocument, match=f"deeper than {DOCUMENT_DEPTH}"):
        parse_document(f"[{full}]".encode(), media=media)


def test_an_alias_is_as_deep_as_what_it_stands_for() -> None:
    high = DOCUMENT_DEPTH // 2
    anchored = "[" * high + "]" * high
    room = DOCUMENT_DEPTH - high - 1
    full = f"[&a {anchored},{'[' * room}*a{']' * room}]"
    assert 2 == len(parse_document(full.encode(), media="yaml").value)
    with pytest.raises(InvalidDocument, match=f"deeper than {DOCUMENT_DEPTH}"):
        parse_document(f"[&a {anchored},{'[' * (room + 1)}*a{']' * (room + 1)}]".encode(), media="yaml")


def test_a_document_has_exactly_so_many_aliases_and_not_one_more() -> None:
    full = f"[&a 1{',*a' * DOCUMENT_ALIASES}]"
    assert DOCUMENT_ALIASES + 1 == len(parse_document(full.encode(), media="yaml").value)
    with pytest.raises(InvalidDocument, match=f"more than {DOCUMENT_ALIASES} aliases"):
        parse_document((full[:-1] + ",*a]").encode(), media="yaml")


@pytest.mark.parametrize("media", ["yaml", "json"])
def test_a_document_has_exactly_so_many_bytes_and_not_one_more(media: Media) -> None:
    full = b'"' + b"x" * (DOCUMENT_BYTES - 2) + b'"'
    assert DOCUMENT_BYTES - 2 == len(parse_document(full, media=media).value)
    with pytest.raises(InvalidDocument, match=f"more than {DOCUMENT_BYTES}"):
        parse_document(full + b" ", media=media)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-document"),
        ('{"a":1,"a":2}', "duplicate-key"),
        ("[" * 100_000, "too-deep"),
        ("[1e999]", "bad-number"),
        ("[NaN]", "bad-number"),
        ("9" * 39, "bad-number"),
        ("[1,]", "syntax"),
        ("[" + "1," * 110_000 + "1]", "too-many-nodes"),
        ('"' + "x" * 262_144 + '"', "too-large"),
    ],
)
def test_hostile_json_is_one_finding(text: str, code: str) -> None:
    assert [code] == [finding.code for finding in load(text.encode(), media="json").findings]


def test_the_parser_survives_deep_brackets_in_a_process_of_its_own() -> None:
    code = "from millrace.spec import load; print(load(b'[' * 200_000, media='yaml').findings[0].code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "too-deep\n" == done.stdout


@given(VALUES)
def test_json_reads_alike_through_both_readers(value: object) -> None:
    data = dumps(value)
    assert value == parse_document(data, media="json").value
    plain = json.dumps(value, ensure_ascii=True).encode()
    if "\\u" not in plain.decode() and "\\" not in plain.decode():
        assert value == parse_document(plain, media="yaml").value


@given(st.binary(max_size=80), st.sampled_from(["yaml", "json"]))
def test_any_bytes_are_loaded_without_an_exception(data: bytes, media: Media) -> None:
    loaded = load(data, media=media)
    assert loaded.document is None
    assert loaded.findings


@given(st.text(max_size=60), st.sampled_from(["yaml", "json"]))
def test_any_text_is_loaded_without_an_exception(text: str, media: Media) -> None:
    assert load(text.encode("utf-8", "replace"), media=media).findings


DOCUMENTS: list[tuple[Media, str]] = [
    ("json", '{"a":\n {"b": [1, {"c": "x:\\n"}]}}'),
    ("yaml", "a:\n  b:\n  - 1\n  - {c: x}\n"),
]


@pytest.mark.parametrize(("media", "text"), DOCUMENTS)
def test_every_value_and_key_has_its_position(media: Media, text: str) -> None:
    source = parse_document(text.encode(), media=media)
    lines = text.splitlines()

    def at(position: tuple[int, int]) -> str:
        return lines[position[0] - 1][position[1] - 1 :].strip('"')[0]

    assert ["1", "x"] == [at(source.position(path)).strip('"') for path in (("a", "b", 0), ("a", "b", 1, "c"))]
    assert ["a", "b", "c"] == [at(source.key_position(p)) for p in (("a",), ("a", "b"), ("a", "b", 1, "c"))]
    assert source.position(("a", "b")) == source.position(("a", "b", "nowhere", 5))
    assert source.position(("a", "b", 0)) == source.key_position(("a", "b", 0))
    assert source.position(("a", "b")) == source.key_position(("a", "b", 9))
    assert source.position(("a",)) == source.key_position(("a", "x"))
    assert source.position(("a",)) == source.key_position(("a", "x", "y"))
    assert (1, 1) == source.position(()) == source.key_position(())


def test_a_stream_of_documents_keeps_positions_of_the_stream() -> None:
    first, second = parse_documents(b"\xef\xbb\xbfa: 010\n---\nb: 2\n")
    assert ({"a": 10}, {"b": 2}) == (first.value, second.value)
    assert (3, 4) == second.position(("b",))
    assert (["leading-zero"], []) == ([n.code for n in first.notes], [n.code for n in second.notes])


def test_a_stream_that_cannot_be_read_is_an_invalid_document() -> None:
    with pytest.raises(InvalidDocument, match="line 4"):
        parse_documents(b"a: 1\n---\na: [\n")


def test_a_document_that_was_read_can_be_judged() -> None:
    source = read_document(flow(f"id: a, {HTTP}").encode(), media="yaml")
    assert "Workflow" == load_source(source).kind


@pytest.mark.parametrize("text", ["a", "5", "null", "[]"])
def test_a_document_that_is_no_mapping_is_said_to_be_none(text: str) -> None:
    assert ["not-a-mapping"] == [code for code, _, _ in brief(load(text.encode(), media="yaml").findings)]


def test_a_document_with_a_wrong_head_is_told_about_unknown_keys_too() -> None:
    found = load(b"apiVersion: 5\nkind: workflw\nspek: {}\n", media="yaml").findings
    assert ["unknown-api-version", "unknown-kind", "unknown-key"] == [finding.code for finding in found]
    assert ("Workflow",) == found[1].did_you_mean[:1]
