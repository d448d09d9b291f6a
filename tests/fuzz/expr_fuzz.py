"""Random bytes against the expression language: `python tests/fuzz/expr_fuzz.py [seed] [count]`.

Mutates a corpus of valid expressions and templates and evaluates what comes out over hostile data. Anything but a
value or an ExpressionError ends the run with the input that caused it. Prints how often each outcome occurred.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "core"))

from millrace.base.errors import ExpressionError
from millrace.expr import Fuel, compile_expression, compile_template

CORPUS = [
    "input.a.b == 'x' && input.n > 3 || !has(input.z)",
    "input.rows.filter(r, r.ok).map(r, {'id': r.id, 'n': r.n * 2 + 1})",
    "input.rows.exists(r, r.id in [1, 2]) ? size(input.rows) : -9223372036854775808",
    "input.s.split(',').map(x, x.trim().upperAscii()).join('-').replace('A', 'b', 1)",
    "input?.a?.b ?? input['a b'].c-d[0] ?? 1.5e3 / 0x1F % 7u",
    "not (input.s.matches('^(a+)+$') and true) or input.s.substring(1, 2) == r'\\d'",
    "Bearer {{secrets.k}} {{input.n}} {{{{ {{ {'a': {'b': '}}'}} }}",
    "type(int(double(string(bool('true'))))) + '\\u00e9\\U0001F600'",
]
DATA: dict[str, Any] = {
    "input": {
        "a": {"b": "x"},
        "n": 2**63,
        "s": "aaa,b\ud800",
        "rows": [{"id": 1, "ok": True, "n": 1.5}, {"id": 2, "ok": None, "n": float("inf")}, 3],
        "a b": {"c-d": [None]},
        "z": float("nan"),
    }
}


def mutated(source: str, chance: random.Random) -> str:
    raw = bytearray(source.encode())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(raw) + 1)
        action = chance.randrange(5)
        if action == 0:
            raw[at:at] = bytes([chance.randrange(256)])
        elif action == 1:
            del raw[at : at + chance.randrange(1, 8)]
        elif action == 2:
            other = chance.choice(CORPUS).encode()
            start = chance.randrange(len(other))
            raw[at:at] = other[start : start + chance.randrange(1, 20)]
        elif action == 3:
            raw[at:at] = chance.choice(
                [b"(", b"[", b"{{", b"}}", b"?.", b"??", b"-", b"!", b"'", b"\\"]
            ) * chance.randrange(1, 80)
        elif raw:
            raw[min(at, len(raw) - 1)] ^= 1 << chance.randrange(8)
    return raw.decode("utf-8", chance.choice(["replace", "surrogateescape", "ignore"]))


def outcome(source: str) -> str:
    try:
        compile_template(source).render(DATA, fuel=Fuel(20_000, 100_000))
        compile_expression(source).evaluate(DATA, fuel=Fuel(20_000, 100_000))
    except ExpressionError as error:
        return str(error.facts["reason"])
    return "value"


def run(seed: int, count: int) -> Counter[str]:
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    for number in range(count):
        source = mutated(chance.choice(CORPUS), chance)
        try:
            counts[outcome(source)] += 1
        except BaseException:
            print(f"seed {seed}, input {number}: {source!r}", file=sys.stderr)
            raise
    return counts


if __name__ == "__main__":
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    for name, times in sorted(run(seed, count).items()):
        print(f"{times:8d}  {name}")
