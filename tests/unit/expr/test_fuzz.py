"""A short run of the fuzz target, so that it keeps working and a crash it finds early fails here."""

from __future__ import annotations

import subprocess
import sys


def test_a_thousand_mutated_sources_are_values_or_typed_errors() -> None:
    done = subprocess.run(
        [sys.executable, "tests/fuzz/expr_fuzz.py", "7", "1000"], capture_output=True, text=True, check=False
    )
    assert "" == done.stderr
    counts = {name: int(number) for number, name in (line.split() for line in done.stdout.splitlines())}
    assert 1000 == sum(counts.values())
    assert counts["value"] > 10
    assert counts["syntax"] > 100
