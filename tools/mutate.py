"""Changes the code at random places, one at a time, and counts the changes that no test notices.

Sampled and time-boxed: `--minutes` bounds the run and `--seed` makes it repeatable. A change is made in a copy of the
package, so nothing here is touched. More than 10 % of survivors is a defect of the tests, and the exit code says so.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("layers/core/millrace")
TESTS = {
    "engine": ["tests/unit/engine", "tests/unit/transforms"],
    "spec": ["tests/unit/spec"],
    "driver": ["tests/unit/driver", "tests/unit/engine"],
    "store": ["tests/unit/store", "tests/unit/services", "tests/unit/driver"],
}
ALLOWED_SURVIVORS = 0.10
TEST_SECONDS = 180
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutation:
    line: int
    what: str
    apply: Callable[[], None]


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """Every single change that can be made to a module; applying one changes the tree in place."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            new = SWAPS[type(node.ops[0])]
            yield Mutation(line, f"{name(node.ops[0])} to {new.__name__}", setter(node.ops, 0, new()))
        elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
            new = SWAPS[type(node.op)]
            yield Mutation(line, f"{name(node.op)} to {new.__name__}", attribute(node, "op", new()))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield Mutation(line, "drop not", replace_not(tree, node))
        elif isinstance(node, ast.Constant) and type(node.value) is int and line:
            yield Mutation(line, f"{node.value} to {node.value + 1}", attribute(node, "value", node.value + 1))
        elif isinstance(node, ast.Constant) and type(node.value) is bool:
            yield Mutation(line, f"{node.value} to {not node.value}", attribute(node, "value", not node.value))
        elif isinstance(node, ast.Return) and node.value is not None and not is_none(node.value):
            yield Mutation(line, "return None", attribute(node, "value", ast.Constant(None)))
        elif isinstance(node, ast.Continue | ast.Break):
            yield Mutation(line, f"drop {name(node).lower()}", replace_statement(tree, node))
        elif isinstance(node, ast.Raise):
            yield Mutation(line, "drop raise", replace_statement(tree, node))


def name(node: ast.AST) -> str:
    return type(node).__name__


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def setter(items: list[ast.cmpop], index: int, new: ast.AST) -> Callable[[], None]:
    return lambda: items.__setitem__(index, new)  # type: ignore[arg-type]


def attribute(node: ast.AST, field: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, field, value)


def replace_not(tree: ast.Module, node: ast.UnaryOp) -> Callable[[], None]:
    return lambda: replace(tree, node, node.operand)


def replace_statement(tree: ast.Module, node: ast.stmt) -> Callable[[], None]:
    return lambda: replace(tree, node, ast.copy_location(ast.Pass(), node))


def replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    """Put ``new`` where ``old`` stands."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, field, [new if item is old else item for item in value])


def killed(copy: Path, tests: list[str]) -> bool:
    """Whether a test fails on the copy."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, timeout=TEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packages", nargs="+", default=list(TESTS), choices=list(TESTS))
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    tests = {package: [path for path in TESTS[package] if (ROOT / path).is_dir()] for package in asked.packages}
    modules = [
        (package, path) for package in asked.packages for path in sorted((ROOT / PACKAGE / package).rglob("*.py"))
    ]
    weights = [path.stat().st_size for _, path in modules]
    deadline = time.monotonic() + asked.minutes * 60
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "core"
        shutil.copytree(ROOT / "layers/core", copy, ignore=shutil.ignore_patterns("__pycache__"))
        for package in asked.packages:
            if killed(copy, tests[package]):
                sys.exit(f"the tests of {package} fail without any change")
        while time.monotonic() < deadline:
            package, path = chance.choices(modules, weights)[0]
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
            found = list(mutations(tree))
            if not found:
                continue
            mutation = chance.choice(found)
            mutation.apply()
            target = copy / path.relative_to(ROOT / "layers/core")
            target.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
            tried += 1
            if not killed(copy, tests[package]):
                survivors.append(f"{path.relative_to(ROOT)}:{mutation.line}: {mutation.what}")
                print(survivors[-1], flush=True)
            target.write_text(text, encoding="utf-8")
    share = len(survivors) / max(tried, 1)
    print(f"{tried} changes, {len(survivors)} survived ({share:.0%}; at most {ALLOWED_SURVIVORS:.0%} may)")
    return share > ALLOWED_SURVIVORS


if __name__ == "__main__":
    sys.exit(main())
