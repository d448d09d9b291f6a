"""Handlers are loaded from the folders that the template names."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.base.errors import InvalidRequest
from millrace.local.functions import InvocationContext, load_handlers
from millrace.local.template import FunctionCode


def code(folder: Path, name: str, text: str, handler: str = "app.handler") -> FunctionCode:
    (folder / name).mkdir()
    (folder / name / "app.py").write_text(text)
    return FunctionCode(name, folder / name, handler)


def test_two_modules_of_one_name_are_two_handlers(tmp_path: Path) -> None:
    functions = [code(tmp_path, name, f"def handler(event, context): return {name!r}") for name in ("one", "two")]
    handlers = load_handlers(functions)
    assert {"one": "one", "two": "two"} == {name: handler({}, None) for name, handler in handlers.items()}


def test_a_module_is_loaded_once(tmp_path: Path) -> None:
    function = code(tmp_path, "once", "def handler(event, context): return 1")
    assert load_handlers([function])["once"] is load_handlers([function])["once"]


def test_another_folder_of_the_same_name_is_loaded_anew(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    first = code(tmp_path / "a", "same", "def handler(event, context): return 'a'")
    second = code(tmp_path / "b", "same", "def handler(event, context): return 'b'")
    assert ["a", "b"] == [load_handlers([function])["same"]({}, None) for function in (first, second)]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="has no file"):
        load_handlers([FunctionCode("gone", tmp_path / "gone", "app.handler")])


def test_a_missing_handler_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="defines no function main"):
        load_handlers([code(tmp_path, "nohandler", "handler = 1", "app.main")])


def test_a_module_that_cannot_be_imported_fails_every_time(tmp_path: Path) -> None:
    function = code(tmp_path, "broken", "raise KeyError('x')")
    for _ in range(2):
        with pytest.raises(KeyError):
            load_handlers([function])


def test_the_context_has_what_lambda_gives() -> None:
    context = InvocationContext("f", "r", started=0.0)
    assert (0, "/aws/lambda/f") == (context.get_remaining_time_in_millis(), context.log_group_name)
    assert context.invoked_function_arn.endswith(":function:f")
