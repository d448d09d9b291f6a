"""Runs the cases of ``language.yaml`` and ``templates.yaml``. Results are compared with their types: 1 is not 1.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.base.errors import ExpressionError
from millrace.expr import SecretText, compile_expression, compile_template

HERE = Path(__file__).parent
LANGUAGE = yaml.safe_load((HERE / "language.yaml").read_text("utf-8"))
TEMPLATES = yaml.safe_load((HERE / "templates.yaml").read_text("utf-8"))


def _cases() -> list[Any]:
    found = []
    for group, block in LANGUAGE["groups"].items():
        for line in block.splitlines():
            mark = "  =>  " if "  =>  " in line else "  !!  "
            source, expected = line.split(mark)
            found.append(pytest.param(source, mark.strip(), expected.strip(), id=f"{group}: {source}"))
    return found


def typed(value: Any) -> str:
    """Text that tells 1 from 1.0 and true."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


@pytest.mark.parametrize(("source", "mark", "expected"), _cases())
def test_every_case_of_the_language_file_holds(source: str, mark: str, expected: str) -> None:
    if mark == "=>":
        found = compile_expression(source).evaluate(LANGUAGE["data"])
        assert typed(json.loads(expected)) == typed(found)
        return
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(LANGUAGE["data"])
    facts = caught.value.facts
    assert expected == facts["reason"]
    assert 0 <= facts["offset"] <= len(facts["source"])
    assert facts["source"] == source
    assert str(caught.value)


def test_there_are_several_hundred_cases() -> None:
    assert len(_cases()) > 450


@pytest.mark.parametrize("case", TEMPLATES["cases"], ids=lambda case: json.dumps(case["template"])[:60])
def test_every_case_of_the_template_file_holds(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(ExpressionError) as caught:
            compile_template(case["template"]).render(TEMPLATES["data"])
        assert case["error"] == caught.value.facts["reason"]
        assert case.get("place", []) == caught.value.facts["place"]
        return
    found = compile_template(case["template"]).render(TEMPLATES["data"])
    if "secret" in case:
        assert isinstance(found, SecretText)
        assert case["secret"] == [part if isinstance(part, str) else {"name": part.name} for part in found.parts]
        return
    assert typed(case["is"]) == typed(found)
