"""A time-boxed, sampled mutation run: break one place of the library at a time and see whether a test notices.

    python tools/mutate.py [--minutes 10] [--seed 1] [--workers 2] [--only engine,spec,driver,store]

Works on a copy of the library in a temporary folder. Prints every survivor with its place and its change, and ends
with 1 when more than one in ten mutants survived. Operators: comparison, boolean and arithmetic swaps, off-by-one on
integers, a dropped `not`, a dropped statement, a replaced return value (the core of R. DeMillo, R. Lipton and
F. Sayward, "Hints on test data selection", 1978).
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "layers/core/millrace"
MOST_SURVIVORS = 0.10
GROUPS: dict[str, tuple[str, list[str]]] = {
    "engine": ("engine/*.py", ["tests/unit/engine", "tests/replay"]),
    "transforms": (
        "engine/transforms/*.py",
        ["tests/unit/transforms", "tests/unit/spec/test_operands.py"],
    ),
    "spec": ("spec/**/*.py", ["tests/unit/spec"]),
    "driver": (
        "driver/*.py",
        [
            "tests/unit/driver",
            "tests/conformance/documents/test_breakers.py",
            "tests/simulation/test_crash_points.py",
            "tests/simulation/test_park_protocol.py",
        ],
    ),
    "store": (
        "store/*.py",
        [
            "tests/unit/store",
            "tests/unit/services",
            "tests/unit/statistics",
            "tests/conformance/documents",
            "tests/simulation/test_crash_points.py",
        ],
    ),
}
"""Modules, and the tests that are to notice when one of them is broken, cheapest first."""
LEFT_OUT = "not dynamodb"
"""Of the conformance tests memory and SQLite judge as well what no adapter is part of, in a tenth of the time."""
COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}


Change = Callable[[Any], object]


@dataclass(frozen=True)
class Mutant:
    group: str
    path: Path
    line: int
    what: str
    source: str


def mutants(group: str, path: Path) -> Iterator[Mutant]:
    """Every mutant of one module."""
    text = path.read_text()
    tree = ast.parse(text)
    lines = text.splitlines()
    wording = _wording(tree)
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node) if node not in wording else ():
            broken = copy.deepcopy(tree)
            target = next(item for index, item in enumerate(ast.walk(broken)) if index == number)
            change(target)
            line = getattr(node, "lineno", 0)
            shown = lines[line - 1].strip() if line else ""
            yield Mutant(group, path, line, f"{what}: {shown}", ast.unparse(ast.fix_missing_locations(broken)))


def _wording(tree: ast.AST) -> set[ast.AST]:
    """What only shapes a message: texts with values in them, and everything in a raise."""
    return {below for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.JoinedStr) for below in ast.walk(node)}


def _changes(node: ast.AST) -> list[tuple[str, Change]]:
    found: list[tuple[str, Change]] = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        found.append(("comparison", lambda n: n.ops.__setitem__(0, COMPARE[type(n.ops[0])]())))
    if isinstance(node, ast.BoolOp):
        swap = ast.Or if isinstance(node.op, ast.And) else ast.And
        found.append(("and/or", lambda n: setattr(n, "op", swap())))
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node) and not _is_type(node):
        found.append(("arithmetic", lambda n: setattr(n, "op", ARITHMETIC[type(n.op)]())))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        found.append(("doubled not", lambda n: setattr(n, "operand", ast.UnaryOp(ast.Not(), n.operand))))
    if isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value < 1000:
        found.append(("constant + 1", lambda n: setattr(n, "value", n.value + 1)))
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        found.append(("return None", lambda n: setattr(n, "value", ast.Constant(None))))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.For | ast.While):
        for index, statement in enumerate(node.body):
            droppable = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.Await)
            if droppable or isinstance(statement, ast.AugAssign):
                found.append((f"dropped statement {index}", lambda n, i=index: n.body.__setitem__(i, ast.Pass())))
    return found


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def _is_type(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.BitOr)


def killed(mutant: Mutant, limit: float) -> bool | None:
    """Whether a test fails with the mutant in place; None when the tests took longer than ``limit`` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "millrace"
        shutil.copytree(LIBRARY, library)  # with its bytecode: only the broken module is compiled again
        (library / mutant.path.relative_to(LIBRARY)).write_text(mutant.source)
        tests = _nearest_first(mutant)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-k", LEFT_OUT, *tests]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return None
        return done.returncode != 0


def _nearest_first(mutant: Mutant) -> list[str]:
    """The files of the group's tests; those that name the broken module come first, since one failure is enough."""
    module = mutant.path.stem
    dotted = ".".join(mutant.path.relative_to(LIBRARY.parent).with_suffix("").parts)
    files = [
        file
        for test in GROUPS[mutant.group][1]
        for file in ([ROOT / test] if test.endswith(".py") else sorted((ROOT / test).rglob("test_*.py")))
    ]
    texts = {file: file.read_text() for file in files}
    files.sort(key=lambda file: dotted not in texts[file] and module not in file.stem)
    return [str(file.relative_to(ROOT)) for file in files]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default=",".join(GROUPS))
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    rng = random.Random(arguments.seed)
    pools = {
        group: [mutant for path in sorted(LIBRARY.glob(GROUPS[group][0])) for mutant in mutants(group, path)]
        for group in wanted
    }
    for pool in pools.values():
        rng.shuffle(pool)
    print(", ".join(f"{group}: {len(pool)} mutants" for group, pool in pools.items()), flush=True)
    order = [
        pool[index] for index in range(max(map(len, pools.values()))) for pool in pools.values() if index < len(pool)
    ]
    end = time.monotonic() + arguments.minutes * 60
    counts = dict.fromkeys(("killed", "survived", "timed out"), 0)
    survivors: list[Mutant] = []

    def judge(mutant: Mutant) -> None:
        if time.monotonic() > end:
            return
        verdict = killed(mutant, 300)
        name = "timed out" if verdict is None else "killed" if verdict else "survived"
        counts[name] += 1
        if name == "survived":
            survivors.append(mutant)
            print(f"survived  {mutant.path.relative_to(ROOT)}:{mutant.line}  {mutant.what}", flush=True)

    with ThreadPoolExecutor(arguments.workers) as workers:
        list(workers.map(judge, order))
    judged = sum(counts.values())
    share = counts["survived"] / judged if judged else 0.0
    print(
        f"{judged} mutants judged: "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
        + f" ({share:.0%})"
    )
    return int(share > MOST_SURVIVORS)


if __name__ == "__main__":
    sys.exit(main())
