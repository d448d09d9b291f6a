"""What inference says of an expression, held against what evaluating it does."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.errors import ExpressionError
from millrace.expr import ReadPath, compile_expression
from millrace.expr.catalogue import FUNCTIONS, METHODS
from millrace.expr.inference import infer
from millrace.expr.operators import OPERATORS
from millrace.expr.signatures import ANY, worded
from millrace.expr.values import kind

VALUES: dict[str, Any] = {
    "bool": True,
    "double": 2.5,
    "int": 3,
    "list": [1, 2],
    "map": {"a": 1},
    "null": None,
    "string": "true",
}
ENV = {"v": VALUES, "open": VALUES}
ROWS = {"v.rows": "list", "v.rows[*]": "map", "v.rows[*].n": "int", "v.rows[0].n": "int"}
OTHER = {"list": "['x', 'y']", "string": "'3'", "map": "{'k': 1}"}


def look(path: ReadPath) -> frozenset[str] | None:
    """``v.int`` is known to be an int, and so on; nothing is known of ``open``."""
    text = str(path)
    name = ROWS.get(text) or (text.removeprefix("v.") if text.startswith("v.") else "")
    return frozenset({name}) if name in VALUES else None


def sorts(source: str) -> list[str]:
    return [misuse.sort for misuse in infer(compile_expression(source), look).misuses]


def fails(source: str) -> bool:
    """Whether it cannot be evaluated for the kinds of what it is given."""
    try:
        compile_expression(source).evaluate(ENV)
    except ExpressionError as error:
        return error.facts["reason"] in ("type", "null-field")
    return False


def gives(source: str) -> str:
    return kind(compile_expression(source).evaluate(ENV))


def agree(source: str) -> None:
    """Inference reports exactly what fails, and what it says of the value is so."""
    found = infer(compile_expression(source), look)
    failed = fails(source)
    assert (source, failed) == (source, "never" in [misuse.sort for misuse in found.misuses])
    if not failed and found.kinds is not None:
        with suppress(ExpressionError):  # out of range, or no number in a text: nothing that kinds could tell
            assert (source, True) == (source, gives(source) in found.kinds)


@pytest.mark.parametrize("operator", sorted({*OPERATORS, "&&", "||"}))
def test_every_operator_is_judged_as_it_works_on_every_pair_of_kinds(operator: str) -> None:
    for left, right in product(VALUES, VALUES):
        if operator in ("&&", "||") and "bool" in (left, right) and left != right:
            continue  # the side that decides may absorb the other's error, which is no less a mistake
        agree(f"v.{left} {operator} v.{right}")


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"has", "matches", "dyn"}))
def test_every_function_is_judged_as_it_works_on_every_kind(name: str) -> None:
    for one in VALUES:
        agree(f"{name}(v.{one})")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_judged_as_it_works_on_every_kind(name: str) -> None:
    fewest, most = METHODS[name]
    usual = {"charAt": ["0"], "substring": ["0", "1"], "join": ["','"], "split": ["','", "1"]}
    plain = usual.get(name, ["'t'", "'t'", "1"] if name == "replace" else ["'t'", "1"])[:most]
    text = "v.string" if name != "join" else "['x']"
    for one in VALUES:
        agree(f"v.{one}.{name}({', '.join(plain)})" if name != "join" or one != "list" else f"{text}.join(',')")
        for at in range(len(plain)):
            agree(f"{text}.{name}({', '.join([*plain[:at], f'v.{one}', *plain[at + 1 :]])})")
    assert fewest <= most


@pytest.mark.parametrize("name", ["all", "exists", "exists_one", "filter", "map"])
def test_every_macro_is_judged_as_it_works_on_every_kind(name: str) -> None:
    for one in VALUES:
        agree(f"v.{one}.{name}(x, true)")
        if name != "map":
            agree(f"v.list.{name}(x, v.{one})")
        else:
            agree(f"v.list.map(x, v.{one}, x)")


@pytest.mark.parametrize(
    "shape", ["!v.{}", "-v.{}", "!!v.{}", "--v.{}", "v.{} ? 1 : 2", "matches(v.{}, 'a')", "matches('a', v.{})"]
)
def test_every_other_operator_is_judged_as_it_works_on_every_kind(shape: str) -> None:
    for one in VALUES:
        agree(shape.format(one))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("-!open.a", ["never"]),
        ("!-open.a", ["never"]),
        ("'a'.foo", ["never"]),
        ("(v.list + v.list).foo", ["never"]),
        ("{'a': 1}.a", []),
        ("'a'[0]", ["never"]),
        ("size('a')[0]", ["never"]),
        ("[1][0]", []),
        ("[1]['a']", ["never"]),
        ("{'a': 1}[0]", ["never"]),
        ("{'a': 1}['a']", []),
        ("v.list[v.int]", []),
        ("v.list[v.double]", []),
        ("v.list[v.string]", ["never"]),
        ("v.map[v.int]", ["never"]),
        ("v.map[open.x]", []),
        ("v.list[true]", ["never"]),
        ("open.x[true]", []),
        ("{1: 2}", ["never"]),
        ("{open.x: 2}", []),
        ("has('a'.b)", ["never"]),
        ("has(open.x['a' - 1])", ["never"]),
        ("has(v.map.b)", []),
        ("has({'a': 1}.b)", []),
        ("has(open.x.y)", []),
        ("v.rows.all(r, r.n)", ["never"]),
        ("v.rows.all(r, r.n > 1)", []),
        ("v.rows.map(r, r.n > 1, r.n + 'a')", ["never"]),
        ("v.rows[0].n + 'a'", ["never"]),
        ("v['int'] + 'a'", ["never"]),
        ("v.map.all(k, k > 1)", ["never"]),
        ("open.x.all(k, k > 1)", []),
        ("[1].all(k, k > 1)", []),
        ("v.rows.filter(r, true).map(r, r.n + 1)", []),
        ("1 + 'a' + 2", ["never"]),
        ("1 < 2 < 3", ["never"]),
        ("open.x + 'a' - 1", ["never"]),
        ("open.x + open.y && true", []),
        ("open.x - open.y && true", ["never"]),
        ("(v.int ?? 'a') + 'b'", []),
        ("(null ?? 'a') - 1", ["never"]),
        ("(open.x ?? 'a') - 1", []),
        ("(true ? 1 : open.x) + 'a'", []),
        ("(true ? 1 : 2.0) + 'a'", ["never"]),
        ("v?.int + 'a'", ["never"]),
        ("open?.x + 'a'", []),
        ("dyn(5) && true", []),
        ("dyn(1 + 'a') && true", ["never"]),
        ("secrets.a", []),
        ("v.int == v.string", ["constant"]),
        ("v.int != v.string", ["constant"]),
        ("v.int == v.double", []),
        ("v.int == null", []),
        ("v.int == open.x", []),
        ("[1] == {'a': 1}", ["constant"]),
        ("v.int in v.map", ["constant"]),
        ("v.string in v.map", []),
        ("open.x in v.map", []),
        ("v.int in open.x", []),
        ("v.int in v.int", ["never"]),
        ("[1 + 'a', {'k': 1 + 'a'}]", ["never", "never"]),
    ],
)
def test_what_can_never_work_is_found_and_nothing_else(source: str, expected: list[str]) -> None:
    assert expected == sorts(source)


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("v.int", {"int"}),
        ("v.int + v.int", {"int"}),
        ("v.int + v.double", {"double"}),
        ("v.int * open.x", {"double", "int"}),
        ("open.x + open.y", None),
        ("open.x + 'a'", {"string"}),
        ("[1] + open.x", {"list"}),
        ("v.int ?? 'a'", {"int", "string"}),
        ("open.x ?? 'a'", None),
        ("true ? 1 : 'a'", {"int", "string"}),
        ("v?.int", {"int", "null"}),
        ("v.list?.size()", {"int", "null"}),
        ("-v.int", {"double", "int"}),
        ("!open.x", {"bool"}),
        ("open.x.map(y, y)", {"list"}),
        ("'a'.split(',')[0]", None),
    ],
)
def test_the_kinds_of_a_value_are_inferred(source: str, kinds: set[str] | None) -> None:
    assert kinds == infer(compile_expression(source), look).kinds


SOURCES = st.recursive(
    st.sampled_from([f"v.{name}" for name in VALUES] + ["open.int", "open.string", "1", "'a'", "2.5", "true", "[1]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([*OPERATORS, "&&", "||", "??"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda text: f"size({text})"),
        inner.map(lambda text: f"(-{text})"),
        inner.map(lambda text: f"(!{text})"),
        inner.map(lambda text: f"[{text}]"),
        inner.map(lambda text: f"{text}.map(x, x)" if "x" not in text else text),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
    ),
    max_leaves=6,
)


@given(SOURCES)
def test_a_value_is_always_of_a_kind_that_was_inferred(source: str) -> None:
    expression = compile_expression(source)
    kinds = infer(expression, look).kinds
    try:
        value = expression.evaluate(ENV)
    except ExpressionError:
        return
    assert kinds is None or kind(value) in kinds


def test_a_misuse_says_where_it_is_and_what_was_found() -> None:
    (misuse,) = infer(compile_expression("true && v.int"), look).misuses
    assert (8, "&& takes true or false, and v.int is an int") == (misuse.offset, misuse.message)
    (misuse,) = infer(compile_expression("open.x + 'a' - 1"), look).misuses
    assert (0, "- cannot be applied to a text and an int: open.x + 'a' - 1") == (misuse.offset, misuse.message)
    long = f"'{'x' * 100}' && true"
    (misuse,) = infer(compile_expression(long), look).misuses
    assert f"&& takes true or false, and '{'x' * 46}… is a text" == misuse.message


def test_kinds_are_put_into_words() -> None:
    assert ["an int", "a number", "a list, a map or a text", "a double or null"] == [
        worded(frozenset(kinds.split())).replace("null or a double", "a double or null")
        for kinds in ("int", "int double", "list map string", "double null")
    ]
    assert "true or false, a list, a map, null, a text or a number" == worded(ANY)
