"""Runs all tests in two processes, then judges coverage: 100 % where the code is pure, 90 % over all.

Tracing makes pure code several times slower, so only tests of single modules are traced. What plays many cases, the
simulator, and the suites over whole functions and emulated clouds run without it, and what starts servers runs last.
More seeds, and what is built and deployed, are the part of `make proof`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GATES = {
    "layers/core/millrace/spec/*": 100,
    "layers/core/millrace/engine/*": 100,
    "layers/core/millrace/expr/*": 100,
    "layers/core/millrace/*": 90,
}

TRACED = ("tests/unit", "tests/conformance/expr")


def run(*command: str) -> int:
    """The exit code of a command of this environment's Python."""
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode


def main() -> int:
    if sys.argv[1:]:
        return run("pytest", *sys.argv[1:])
    parts = (
        ("-n", "2", "--dist", "worksteal", "-m", "traced", "--cov", "--cov-report=", *TRACED),
        ("-n", "2", "--dist", "loadscope", "-m", "not traced and not e2e"),
        ("-n", "2", "--dist", "loadscope", "-m", "e2e", "tests/e2e", "--ignore=tests/e2e/deploy"),
    )
    for part in parts:
        code = run("pytest", *part)
        if code:
            return code
    failed = [
        pattern
        for pattern, floor in GATES.items()
        if run(
            "coverage", "report", f"--include={pattern}", f"--fail-under={floor}", "--skip-covered", "--show-missing"
        )
    ]
    for pattern in failed:
        print(f"coverage of {pattern} is below {GATES[pattern]} %")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
