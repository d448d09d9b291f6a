"""Scopes, hyphens, notes, paths, and what a compiled expression tells about itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

import millrace.expr
from millrace.base.errors import Corrupt, ExpressionError
from millrace.expr import (
    Fuel,
    ReadPath,
    Scope,
    SecretRef,
    SecretText,
    Wild,
    collect_secrets,
    compile_expression,
    compile_template,
    restore_secrets,
)

SCOPE = Scope(
    frozenset({"input", "tasks", "item", "config"}),
    bare="item",
    names={"deep": ("config", "deepCheck")},
    declared={("tasks",): frozenset({"fetch", "fetch-order", "a-b", "b"}), ("input",): frozenset({"total", "a"})},
)


def paths(source: str, scope: Scope | None = None) -> set[str]:
    return {str(path) for path in compile_expression(source, scope=scope).paths}


def guarded(source: str) -> set[str]:
    return {str(path) for path in compile_expression(source).guarded_paths}


def codes(source: str, scope: Scope | None = None) -> list[str]:
    return [note.code for note in compile_expression(source, scope=scope).warnings]


def fault(source: Any, scope: Scope | None = None, env: Mapping[str, Any] | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source, scope=scope).evaluate(env or {})
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2", set()),
        ("input.a.b == 'x'", {"input.a.b"}),
        ("input.a[0].b", {"input.a[0].b"}),
        ("input['a b'].c", {'input["a b"].c'}),
        ("tasks[input.k].output", {"tasks[*].output", "input.k"}),
        ("input.rows.map(r, r.id)", {"input.rows[*].id"}),
        ("input.rows.filter(r, r.ok)", {"input.rows[*].ok", "input.rows[*]"}),
        ("input.rows.filter(r, r.ok).map(r, r.id)", {"input.rows[*].ok", "input.rows[*].id"}),
        ("input.rows.filter(r, r.ok)[0].id", {"input.rows[*].ok", "input.rows[*].id"}),
        ("input.rows.map(r, r.sub)[0].id", {"input.rows[*].sub.id"}),
        ("input.rows.map(r, 1)", {"input.rows"}),
        ("input.rows.exists(r, true)", {"input.rows"}),
        ("input.rows.all(r, r.ok)", {"input.rows[*].ok"}),
        ("input.rows.map(r, r.ok, input.x)", {"input.rows[*].ok", "input.x"}),
        ("input.rows.filter(r, r.ok).size()", {"input.rows[*].ok"}),
        ("size(input.rows.map(r, r.id))", {"input.rows[*].id"}),
        ("size(input.rows)", {"input.rows"}),
        ("input.m.map(a, a.list.map(b, b.c))", {"input.m[*].list[*].c"}),
        ("input.m.map(a, a.list.map(b, b))[0]", {"input.m[*].list[*]"}),
        ("(input.a ? input.b : input.c).d", {"input.a", "input.b.d", "input.c.d"}),
        ("(input.a ?? input.b).d", {"input.a.d", "input.b.d"}),
        ("has(input.a.b)", {"input.a.b"}),
        ("input.name.contains(input.part)", {"input.name", "input.part"}),
        ("{'a': input.x}.a", {"input.x"}),
        ("[input.x, -input.y]", {"input.x", "input.y"}),
        ("secrets.key", {"secrets.key"}),
        ("input", {"input"}),
        ("matches(input.a, 'x')", {"input.a"}),
        ("{'a': 1}[input.k]", {"input.k"}),
        ("input.a[1.0]", {"input.a[*]"}),
    ],
)
def test_the_paths_are_exactly_those_that_are_read(source: str, expected: set[str]) -> None:
    assert expected == paths(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.a", set()),
        ("has(input.a)", {"input.a"}),
        ("input.a ?? 1", {"input.a"}),
        ("input.a ?? input.b", {"input.a"}),
        ("input?.a", {"input.a"}),
        ("input.a?.b.c", {"input.a.b.c"}),
        ("has(input.a) && input.a > 1", set()),
        ("has(input.a) && (input.a ?? 0) > 1", {"input.a"}),
        ("[input.a][0]?.b", {"input.a"}),
        ("{'a': input.a}?.a.b?.c[input.d]", {"input.a"}),
        ("{'a': input.a}[input.b]?.c", {"input.a", "input.b"}),
        ("{'a': input.a}.a.b", set()),
        ("{'a': input.a.b, 'c': [input.c]} ?? 0", {"input.a.b", "input.c"}),
        ("input.l.map(one, one.a + input.b) ?? []", {"input.l[*].a", "input.b"}),
        ("(input.a > 1 ? input.b : 0) ?? input.c", {"input.a", "input.b"}),
        ("string(input.a) ?? string(input.b ?? input.c)", {"input.a", "input.b"}),
        ("(string(input.a) ?? '') + input.b", {"input.a"}),
    ],
)
def test_guarded_paths_are_read_under_has_or_a_safe_operator_only(source: str, expected: set[str]) -> None:
    assert expected == guarded(source)


def test_a_read_says_which_segments_may_be_absent_and_where_it_stands() -> None:
    (read,) = compile_expression("1 + (input.a?.b.c ?? 2)").reads
    assert (5, 12) == (read.offset, read.length)
    assert frozenset({-1, 0, 1, 2}) == read.tolerated
    (read,) = compile_expression("input.a?.b.c").reads
    assert frozenset({-1, 0, 1}) == read.tolerated
    (read,) = compile_expression("has(input.a.b)").reads
    assert frozenset({1}) == read.tolerated
    assert read.guarded


def test_a_scope_resolves_roots_bare_names_names_and_aliases() -> None:
    assert {"item.price"} == paths("price > 1", SCOPE)
    assert {"item.address.city"} == paths("address.city", SCOPE)
    assert {"config.deepCheck"} == paths("deep", SCOPE)
    assert {"input.x"} == paths("inputs.x", SCOPE)
    assert {"inputs.x"} == paths("inputs.x")
    (note,) = compile_expression("1 + inputs.x", scope=SCOPE).warnings
    assert ("alias", 4, 6, "input") == (note.code, note.offset, note.length, note.fix)
    assert 5 == compile_expression("price", scope=SCOPE).evaluate({"item": {"price": 5}})


def test_a_name_outside_of_the_scope_is_an_error_with_a_proposal() -> None:
    error = fault("inpt.x", Scope(frozenset({"input"})))
    assert "unknown-root" == error.facts["reason"]
    assert "did you mean input?" == error.hint
    assert "names that can be used here: input" == fault("zzz", Scope(frozenset({"input"}))).hint
    assert "names that can be used here: none" == fault("zzz", Scope(frozenset())).hint


def test_scopes_compare_by_content() -> None:
    one, two = (
        Scope(frozenset({"a"}), declared={("a",): frozenset("b")}),
        Scope(frozenset({"a"}), declared={("a",): frozenset("b")}),
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != Scope(frozenset({"a"}))
    assert one != 1
    assert compile_expression("a.b", scope=one) is compile_expression("a.b", scope=two)


def test_a_declared_hyphenated_name_is_a_name_without_remark() -> None:
    assert [] == codes("tasks.fetch-order.output", SCOPE)
    assert {"tasks.a-b.output"} == paths("tasks.a-b.output", SCOPE)


def test_an_undeclared_hyphenated_name_after_a_declared_one_is_ambiguous() -> None:
    error = fault("tasks.fetch-cost", SCOPE)
    assert "ambiguous-hyphen" == error.facts["reason"]
    assert "fetch - cost" == error.facts["fix"]
    assert (6, 10) == (error.facts["offset"], error.facts["length"])
    assert "fetch-order - x" == fault("tasks.fetch-order-x", SCOPE).facts["fix"]


def test_an_undeclared_hyphenated_name_after_nothing_declared_is_left_to_path_checks() -> None:
    assert [] == codes("tasks.zz-yy.output", SCOPE)


def test_where_nothing_is_declared_a_hyphen_is_a_warning_and_a_hint_at_run_time() -> None:
    assert ["ambiguous-hyphen"] == codes("config.a-b", SCOPE)
    assert ["ambiguous-hyphen"] == codes("config.a-b")
    assert ["ambiguous-hyphen"] == codes("config.list[0].a-b", SCOPE)
    assert [] == codes("config.`a-b`", SCOPE)
    assert "for a subtraction write config.a - b" == fault("config.a-b", None, {"config": {"a": 1}}).hint
    assert "for a subtraction write config.a-b - c" == fault("config.a-b-c", None, {"config": {"a-b": 1}}).hint


@pytest.mark.parametrize(
    ("source", "fix", "written"),
    [
        ("tasks.fetch.output-1", "output - 1", "tasks.fetch.output - 1"),
        ("1 + tasks.fetch.durationMs-tasks.b.durationMs", "durationMs - tasks", "tasks.fetch.durationMs - tasks"),
        ("tasks.fetch-cost", "fetch - cost", "tasks.fetch - cost"),
        ("tasks.fetch-b", "fetch - tasks.b", "tasks.fetch - tasks.b"),
        ("input.total-a", "total - input.a", "input.total - input.a"),
        ("input.total-5", "total - 5", "input.total - 5"),
    ],
)
def test_the_fix_of_an_ambiguous_hyphen_is_the_subtraction_that_was_meant(source: str, fix: str, written: str) -> None:
    scope = Scope(SCOPE.roots, declared={**SCOPE.declared, ("tasks", "*"): frozenset({"output", "durationMs"})})
    error = fault(source, scope)
    assert (fix, f"for a subtraction write {written}") == (error.facts["fix"], error.hint)
    offset, length = error.facts["offset"], error.facts["length"]
    assert written in source[:offset] + fix + source[offset + length :]


def test_a_warning_about_a_hyphen_says_how_to_write_the_subtraction() -> None:
    (note,) = compile_expression("config.list[0].a-b", scope=SCOPE).warnings
    assert "a-b is read as one name; for a subtraction write config.list[0].a - b" == note.message
    assert ("a - b", "a-b") == (note.fix, "config.list[0].a-b"[note.offset :])


def test_a_hyphen_before_a_call_is_ambiguous() -> None:
    error = fault("input.total-size(input.x)")
    assert "ambiguous-hyphen" == error.facts["reason"]
    assert "total - size" == error.facts["fix"]


def test_dividing_by_an_int_is_worth_a_hint() -> None:
    (note,) = compile_expression("input.n / 2 * 3").warnings
    assert ("int-division", "hint", 10, 1, "2.0") == (note.code, note.severity, note.offset, note.length, note.fix)
    assert [] == codes("input.n / 2.0")
    assert [] == codes("7.0 / 2") == codes("1.5 * input.n / 2") == codes("input.n * 2 / 0.5 / 3")


def test_braces_around_a_bare_expression_are_reported() -> None:
    expression = compile_expression(" {{ input.a }} ")
    (note,) = expression.warnings
    assert ("braces", "input.a") == (note.code, note.fix)
    assert "input.a" == expression.text
    assert "Expression('input.a')" == repr(expression)


def test_a_macro_variable_may_not_hide_a_root() -> None:
    assert "shadowing" == fault("config.list.map(input, 1)", SCOPE).facts["reason"]


def test_what_is_no_text_is_no_expression() -> None:
    assert "syntax" == fault(5).facts["reason"]


def test_constants_are_computed_once_unless_they_fail() -> None:
    assert compile_expression("1 + 2 * 3").constant
    assert compile_expression("[1, 2].map(x, 1)").constant
    assert not compile_expression("1 / 0").constant
    assert not compile_expression("[1].map(x, input.a ?? true, 1)").constant
    assert [] == compile_expression("[1].map(x, input.a ?? true, 1)").evaluate({"input": {"a": False}})


def test_a_read_only_mapping_is_read_like_a_map() -> None:
    env = {"x": MappingProxyType({"a": MappingProxyType({"b": 1})})}
    assert 1 == compile_expression("x.a.b").evaluate(env)
    assert compile_expression("has(x.a) && x['a'].size() == 1 && 'a' in x").evaluate(env) is True
    assert "unknown-field" == fault("x.c", None, env).facts["reason"]


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("x.list.length", "did you mean .size()?"),
        ("x.text.trim", "did you mean .trim(…)?"),
        ("x.n.double", "did you mean double(…)?"),
        ("x.list.name", "a list is read by position, [0], or with map(x, x.name)"),
        ("x.lst", "did you mean list?"),
        ("x.text[0]", "for one character use charAt(position)"),
        ("x.text.toLowerCase()", "did you mean value.lowerAscii(…)?"),
        ("str(x.n)", "did you mean string(value)?"),
        ("trim(x.text)", "did you mean value.trim(…)?"),
    ],
)
def test_an_error_says_what_to_write_instead(source: str, hint: str) -> None:
    assert hint == fault(source, None, {"x": {"list": [1], "text": "abc", "n": 1}}).hint


def test_an_error_names_what_was_read_and_what_was_there_but_no_value() -> None:
    error = fault("x.user.nam", None, {"x": {"user": {"name": "private", "age": 1}}})
    assert "x.user.nam" == error.facts["read"]
    assert "a map with age, name" == error.facts["found"]
    assert "private" not in str(error) + error.hint + str(error.facts)
    many = fault("x.zz", None, {"x": {f"k{number}": 1 for number in range(30)}})
    assert "and 18 more" in str(many)


def test_secrets_show_nothing_when_printed() -> None:
    text = SecretText(("Bearer hunter2", SecretRef("k")))
    assert "<secret>" == repr(text) == str(text) == f"{text}"
    assert frozenset({"k"}) == text.names
    with pytest.raises(ExpressionError) as caught:
        compile_expression("x + 'a'").evaluate({"x": text})
    assert "hunter2" not in repr(caught.value.facts) + str(caught.value)


def test_collecting_shares_what_has_no_secret_and_restoring_checks_places() -> None:
    rows = [1, {"a": 2}]
    value = {"rows": rows, "h": [SecretText(("x",))]}
    plain, found = collect_secrets(value)
    assert plain["rows"] is rows
    assert [(("h", 0), ("x",))] == found
    assert {"rows": rows, "h": [None]} == plain
    assert SecretText(("x",)) == restore_secrets(None, [((), ("x",))])
    for place in [("zz",), ("h", 5), ("h", "a"), ("rows", 0, "a")]:
        with pytest.raises(Corrupt):
            restore_secrets(plain, [(place, ("x",))])
    deep: Any = SecretText(("x",))
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested"):
        collect_secrets(deep)


def test_a_template_knows_its_sites_paths_and_notes() -> None:
    template = compile_template({"a": ["{{input.x}}", "b {{input.y ?? 1}} {{input.z / 2}}"], "{{k}}": 1})
    assert [("a", 0), ("a", 1), ("a", 1)] == [site.place for site in template.sites]
    assert [2, 4, 21] == [site.expression.offset for site in template.sites]
    assert {"input.x", "input.y", "input.z"} == {str(path) for path in template.paths}
    assert {ReadPath("input", ("y",))} == template.guarded_paths
    assert ["template-key", "int-division"] == [note.code for note in template.warnings]
    assert not template.is_constant


def test_a_template_in_a_scope_reports_the_place_of_an_unknown_name() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template({"a": "x {{zzz}}"}, scope=Scope(frozenset({"input"})))
    assert ["a"] == caught.value.facts["place"]
    assert 4 == caught.value.facts["offset"]


def test_an_expression_inside_a_long_text_is_limited_and_the_text_is_not() -> None:
    text = "a" * 100_000 + "{{input.n}}"
    assert text[:100_000] + "1" == compile_template(text).render({"input": {"n": 1}})
    for bad in ["{{" + "1+" * 10_000 + "1}}", "a" * 300_000 + "{{1}}"]:
        with pytest.raises(ExpressionError, match="longer"):
            compile_template(bad)


def test_paths_print_as_they_are_written() -> None:
    assert 'x.a-b[0][*]["c d"]' == str(ReadPath("x", ("a-b", 0, Wild.ANY, "c d")))
    assert "*" == repr(Wild.ANY)
    assert "Fuel(steps=1, output=2)" == repr(Fuel(1, 2))


def test_the_public_list_is_sorted_and_complete() -> None:
    assert sorted(millrace.expr.__all__) == millrace.expr.__all__
    assert all(hasattr(millrace.expr, name) for name in millrace.expr.__all__)


def test_importing_expressions_imports_nothing_heavy() -> None:
    heavy = "re2 pydantic yaml difflib asyncio"
    code = f"import sys, millrace.expr; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "layers/core"},
        check=True,
    )
    assert "[]" == done.stdout.strip()
