"""Laws of expressions, over sources and data that Hypothesis makes up."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.base.errors import ExpressionError
from millrace.expr import (
    Fuel,
    ReadPath,
    SecretRef,
    SecretText,
    Wild,
    collect_secrets,
    compile_expression,
    compile_template,
    restore_secrets,
)

pytestmark = pytest.mark.repeats

NAMES = ["a", "b", "c", "d-e"]
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a", "b", "{{a}}"])
data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=12,
)
envs = st.fixed_dictionaries({"x": data, "y": data})
wild_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)

paths = st.builds(
    lambda root, parts: root + "".join(parts),
    st.sampled_from(["x", "y"]),
    st.lists(st.sampled_from([".a", ".b", ".c", "?.a", "?.b", "[0]", "['c']", "[y.a]", ".d-e"]), max_size=3),
)
leaves = paths | st.sampled_from(["1", "0", "2.5", "'a'", "null", "true", "false", "[1, x.a]", "{'a': y.b}"])
sources = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in", "&&", "||", "??"]),
            inner,
        ),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("!{}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("size({})".format, inner),
        st.builds("type({})".format, inner),
        st.builds("({}).a".format, inner),
        st.builds("({})?.b".format, inner),
        st.builds("({})[0]".format, inner),
        st.builds("has(({}).a)".format, inner),
        st.builds("({}).map(i, i)".format, inner),
        st.builds("({}).map(i, i.a)".format, inner),
        st.builds("({}).map(i, {})".format, inner, inner),
        st.builds("({}).filter(i, i.a == {})".format, inner, inner),
        st.builds("({}).filter(i, true)".format, inner),
        st.builds("({}).exists(i, i.b)".format, inner),
        st.builds("({}).all(i, i == {})".format, inner, inner),
        st.builds("({}).exists_one(i, i != {})".format, inner, inner),
        st.builds("({}).map(i, has(i.a), i.a)".format, inner),
    ),
    max_leaves=6,
)


def outcome(source: str, env: dict[str, Any]) -> tuple[str, Any]:
    """What an expression gives: a value with its types, or the reason of its error."""
    try:
        return "value", repr(compile_expression(source).evaluate(env))
    except ExpressionError as error:
        return "error", error.facts["reason"]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), envs)
def test_any_text_is_a_value_or_an_expression_error(source: str, env: dict[str, Any]) -> None:
    assert outcome(source, env)[0] in {"value", "error"}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "x",
                "y",
                ".",
                "?.",
                "[",
                "]",
                "(",
                ")",
                "{",
                "}",
                ",",
                ":",
                "?",
                "??",
                "'a'",
                "1",
                "2.5",
                "+",
                "-",
                "&&",
                "!",
                "not",
                "in",
                "map",
                "filter",
                "size",
                "a-b",
                "i",
            ]
        )
    ),
    envs,
)
def test_any_run_of_tokens_is_a_value_or_an_expression_error(tokens: list[str], env: dict[str, Any]) -> None:
    assert outcome(" ".join(tokens), env)[0] in {"value", "error"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sources, st.fixed_dictionaries({"x": wild_json, "y": wild_json}))
def test_any_data_gives_a_value_or_an_expression_error(source: str, env: dict[str, Any]) -> None:
    before = copy.deepcopy(env)
    assert outcome(source, env)[0] in {"value", "error"}
    assert repr(before) == repr(env)


@settings(max_examples=200, deadline=None)
@given(sources, envs)
def test_an_expression_gives_the_same_every_time(source: str, env: dict[str, Any]) -> None:
    assert outcome(source, env) == outcome(source, copy.deepcopy(env))


def related(path: tuple[Any, ...], read: ReadPath) -> bool:
    """Whether a place lies above, at or below what is read."""
    return all(two is Wild.ANY or one == two for one, two in zip(path, (read.root, *read.segments), strict=False))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a value that can be removed without moving another: keys of maps."""
    found: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        for key, entry in value.items():
            found += [(*at, key), *places(entry, (*at, key))]
    if isinstance(value, list):
        for index, entry in enumerate(value):
            found += places(entry, (*at, index))
    return found


def without(value: Any, place: tuple[Any, ...]) -> Any:
    result = copy.deepcopy(value)
    holder = result
    for key in place[:-1]:
        holder = holder[key]
    del holder[place[-1]]
    return result


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sources, envs)
def test_removing_what_is_not_read_changes_no_result(source: str, env: dict[str, Any]) -> None:
    try:
        reads = compile_expression(source).paths
    except ExpressionError:
        return
    expected = outcome(source, env)
    for place in places(env):
        if not any(related(place, read) for read in reads):
            assert expected == outcome(source, without(env, place)), place


@given(sources)
def test_guarded_paths_are_among_the_paths(source: str) -> None:
    try:
        expression = compile_expression(source)
    except ExpressionError:
        return
    assert expression.guarded_paths <= expression.paths


@given(st.text(max_size=30), wild_json)
def test_text_that_comes_out_of_data_is_never_rendered_again(text: str, value: Any) -> None:
    template = compile_template({"whole": "{{x}}", "part": "<{{y}}>"})
    evil = "{{secrets.s}}" + text + "{{x}}"
    assert (
        {"whole": [value, evil], "part": f"<{evil}>"} == template.render({"x": [value, evil], "y": evil})
        or value != value
        or "nan" in repr(value)
    )


@given(wild_json)
def test_a_value_without_braces_renders_to_the_same_object(value: Any) -> None:
    template = compile_template(value)
    if "{{" not in repr(value):
        assert template.is_constant
    if template.is_constant:
        assert value is template.render({})


secret_texts = st.builds(
    SecretText, st.lists(st.text(max_size=3) | st.builds(SecretRef, st.sampled_from(["k", "l"])), max_size=3).map(tuple)
)
with_secrets = st.recursive(
    scalars | secret_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=12,
)


@given(with_secrets)
def test_secrets_come_back_to_where_they_were_collected(value: Any) -> None:
    plain, found = collect_secrets(value)
    assert "<secret>" not in repr(plain)
    assert value == restore_secrets(plain, found)


@settings(deadline=None)
@given(sources, envs, st.integers(0, 40), st.integers(0, 60))
def test_less_fuel_gives_the_same_value_or_runs_out(source: str, env: dict[str, Any], steps: int, size: int) -> None:
    expected = outcome(source, env)
    try:
        found = repr(compile_expression(source).evaluate(env, fuel=Fuel(steps, size)))
    except ExpressionError as error:
        assert error.facts["reason"] in {"fuel", "size", expected[1]}
        return
    assert expected == ("value", found)
