"""Fails on a module that is too long or does not say why it exists, and when the median module grows too long."""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HARD_LIMIT = 400
MEDIAN_LIMIT = 150


def problems(root: Path) -> list[str]:
    """One line per problem."""
    found: list[str] = []
    lengths: list[int] = []
    for path in sorted([*root.glob("layers/core/**/*.py"), *root.glob("functions/**/*.py")]):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if not lines:
            continue
        lengths.append(lines)
        name = path.relative_to(root)
        if lines > HARD_LIMIT:
            found.append(f"{name}: {lines} lines, and the limit is {HARD_LIMIT}")
        if not ast.get_docstring(ast.parse(text)):
            found.append(f"{name}: does not open with why it exists")
    if lengths and statistics.median(lengths) > MEDIAN_LIMIT:
        found.append(f"the median module has {statistics.median(lengths)} lines, and the limit is {MEDIAN_LIMIT}")
    return found


if __name__ == "__main__":
    said = problems(ROOT)
    print("\n".join(said) or "modules: no findings")
    sys.exit(bool(said))
