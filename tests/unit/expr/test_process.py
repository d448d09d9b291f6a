"""Whole processes: the same results under any hash seed, time zone and locale, and little memory for hostile text."""

from __future__ import annotations

import os
import subprocess
import sys

REPLAY = """
import json, sys
sys.path.insert(0, "layers/core")
import yaml
from millrace.base.errors import ExpressionError
from millrace.engine.transforms import compile_transform
from millrace.expr import compile_expression
from pathlib import Path
cases = yaml.safe_load(Path("tests/conformance/expr/language.yaml").read_text("utf-8"))
out = []
for block in cases["groups"].values():
    for line in block.splitlines():
        source = line.split("  =>  ")[0].split("  !!  ")[0]
        try:
            expression = compile_expression(source)
            out.append([str(read) for read in expression.reads])
            out.append(repr(expression.evaluate(cases["data"])))
        except ExpressionError as error:
            out.append([str(error), error.hint, repr(error.facts)])
rows = [{"k": k, "n": n} for n, k in enumerate(["b", "a", None, "a", True, 1, 1.0, [1], {"z": 1, "y": 2}])]
steps = [{"groupBy": "k"}, {"aggregate": {"n": "count"}}, {"sort": "key"}, {"distinct": True}]
out.append(compile_transform(steps).apply(rows, {}))
print(json.dumps(out))
"""

HOSTILE = """
import resource, sys
sys.path.insert(0, "layers/core")
from millrace.base.errors import ExpressionError
from millrace.expr import compile_expression
compile_expression("'a'.matches('a')")
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (24 << 20), size + (24 << 20)))
kinds = set()
for source in [
    "(" * 100_000, "[" * 16_000, "!" * 16_384, "10**10**10", "'x' * 1000000000",
    "x.__class__", "'{0.__init__}'.format(x)",
    "x.constructor.constructor('return this')()", "\\uff11 + 1", "\\x00", "'a\\x00' + 1", "1e999",
    "9" * 5000, "9" * 16_000 + "." + "9" * 300,
    "[1,2,3,4,5,6,7,8]" + ".map(a, [a, a, a, a, a, a])" * 30,
    "['xxxxxxxxxxxxxxxx']" + ".map(a, a + a + a + a)" * 40,
    "'" + "x" * 10_000 + "'" + ".replace('x', '" + "y" * 5_000 + "')",
    "x.y" + ".y" * 8_000, "'" + "\\\\" * 16_000,
    "'a'.matches('" + "(a{1000}){1000}" + "')",
    "'a'.matches('" + "((((a{20}){20}){20}){20})" + "')",
]:
    try:
        compile_expression(source).evaluate({"x": {"y": 1}})
        kinds.add("value")
    except ExpressionError as error:
        kinds.add(error.facts["reason"])
print(" ".join(sorted(kinds)))
"""


def output(code: str, **extra: str) -> str:
    environment = {**os.environ, **extra}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "" == done.stderr
    return done.stdout


def test_results_and_errors_are_the_same_under_every_hash_seed_zone_and_locale() -> None:
    one = output(REPLAY, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C")
    two = output(REPLAY, PYTHONHASHSEED="99", TZ="Pacific/Apia", LC_ALL="C.UTF-8")
    assert len(one) > 10_000
    assert one == two


def test_hostile_sources_end_in_typed_errors_within_little_memory() -> None:
    assert {"size", "depth", "syntax", "type", "regex", "overflow", "no-such-function"} <= set(output(HOSTILE).split())
