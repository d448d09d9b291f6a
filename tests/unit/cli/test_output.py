"""What the command prints steers no terminal and parses as JSON."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.cli.output import Output, plain


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert [] == [char for char in plain(text) if unicodedata.category(char) == "Cc"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("a\tb", "a b"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b1m", "\\x9b1m"),
        ("né", "né"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert shown == plain(text)


def test_columns_line_up_and_cells_stay_on_their_line() -> None:
    out = io.StringIO()
    Output(out=out).table(["A", "LONG"], [["one\ntwo", "x"], ["y", "\x1b[31m"]])
    assert ["A         LONG", "one\\ntwo  x", "y         \\x1b[31m"] == out.getvalue().splitlines()


def test_json_says_nothing_but_json() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=True, out=out, err=err)
    output.say("text")
    output.pretty({})
    output.table(["A"], [["b"]])
    output.data({"a": "é\n"})
    output.problem("m", hint="h", facts={"f": 1}, code="c")
    assert '{"a": "\\u00e9\\n"}\n' == out.getvalue()
    assert {"error": {"code": "c", "message": "m", "hint": "h", "facts": {"f": 1}}} == json.loads(err.getvalue())


def test_text_says_no_json_and_problems_go_to_the_error_stream() -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(out=out, err=err)
    output.data({"a": 1})
    output.problem("what", hint="do this")
    output.problem("bare")
    assert "" == out.getvalue()
    assert "millrace: what\n  do this\nmillrace: bare\n" == err.getvalue()


def test_what_stands_behind_a_problem_is_listed_where_it_is_more_than_one_thing() -> None:
    output = Output(out=io.StringIO(), err=(err := io.StringIO()))
    reasons = [{"path": "/a", "message": "one"}, {"path": "/b\x1b", "message": "two"}]
    output.problem("cannot", hint="do this", facts={"reasons": reasons, "other": 1})
    output.problem("used", facts={"affected": [{"kind": "task", "name": "x", "distance": 1}]})
    assert "millrace: cannot\n  /a: one\n  /b\\x1b: two\n  do this\nmillrace: used\n" == err.getvalue()


def test_characters_that_a_stream_cannot_hold_are_written_out() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(out=stream).say("né")
    assert b"n\\xe9\n" == raw.getvalue()


def test_a_terminal_gets_a_table_without_control_characters_from_cells() -> None:
    out = Tty()
    output = Output(out=out)
    assert output.live
    output.table(["TASK", "STATUS"], [["a\x1b[2J", "succeeded"]])
    assert "a\\x1b[2J" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_json_is_never_drawn_live() -> None:
    assert not Output(as_json=True, out=Tty()).live
