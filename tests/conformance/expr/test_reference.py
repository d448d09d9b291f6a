"""The reference pages say what the suite proves: every difference has a case, every name and reason is listed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from millrace.base import limits
from millrace.engine.transforms import OPS, compile_transform
from millrace.engine.transforms.aggregate import FIGURES
from millrace.expr import faults
from millrace.expr.catalogue import FUNCTIONS, MACROS, METHODS

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs" / "reference"
EXPRESSIONS = (DOCS / "expressions.md").read_text("utf-8")
TRANSFORMS = (DOCS / "transforms.md").read_text("utf-8")
LANGUAGE = yaml.safe_load((HERE / "language.yaml").read_text("utf-8"))


def test_every_difference_from_cel_has_a_case() -> None:
    section = EXPRESSIONS.split("## Differences from CEL")[1].split("## Errors")[0]
    shown = re.findall(r"^\| .* \| `(.+)` \|$", section, re.MULTILINE)
    sources = {
        line.split("  =>  ")[0].split("  !!  ")[0]
        for block in LANGUAGE["groups"].values()
        for line in block.splitlines()
    }
    assert 19 == len(shown)
    assert [] == [source for source in shown if source not in sources]


def test_every_function_is_documented() -> None:
    assert [] == [name for name in {*FUNCTIONS, *METHODS, *MACROS} if name not in EXPRESSIONS]


def test_every_reason_is_documented() -> None:
    reasons = set(re.findall(r"``([a-z-]+)``", (faults.__doc__ or "").split("Reasons")[1]))
    assert {"syntax", "fuel", "null-text"} <= reasons
    assert [] == [reason for reason in reasons if f"`{reason}`" not in EXPRESSIONS]


def test_every_reason_the_sources_use_is_declared() -> None:
    folder = Path(str(faults.__file__)).parent
    used = {
        reason
        for path in folder.glob("*.py")
        for reason in re.findall(r'\.fault\(\s*"([a-z-]+)"', path.read_text("utf-8"))
    }
    assert len(used) > 15
    assert set() == {reason for reason in used if f"``{reason}``" not in (faults.__doc__ or "")}


def test_every_step_and_figure_is_documented() -> None:
    assert [] == [op for op in OPS if TRANSFORMS.count(f"| `{op}` |") != 2]
    assert [] == [op for op in FIGURES if f"`{op}`" not in TRANSFORMS]


def test_the_limits_are_those_of_the_table() -> None:
    for number in (limits.EXPRESSION_CHARS, limits.EXPRESSION_FUEL):
        assert f"{number:,}" in EXPRESSIONS
    assert f"{limits.EXPRESSION_DEPTH} levels" in EXPRESSIONS
    assert f"{limits.TRANSFORM_FUEL:,}" in TRANSFORMS


def test_the_example_of_the_page_runs() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TRANSFORMS, re.DOTALL)
    (task,) = yaml.safe_load(block)
    found = compile_transform(task["transform"]).apply(
        [{"id": 1, "total": 5}, {"id": 2, "total": 20}, {"id": 3, "total": 50}], {}
    )
    assert [{"id": 3, "gross": 60.0}, {"id": 2, "gross": 24.0}] == found
