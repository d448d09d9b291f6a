"""Which tests are run with coverage tracing: those of single modules, but for those that play many cases."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TRACED = (HERE / "unit", HERE / "conformance" / "expr")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, before tests are chosen by their marks."""
    for item in items:
        lies = any(item.path.is_relative_to(folder) for folder in TRACED)
        if lies and not (item.get_closest_marker("repeats") or item.get_closest_marker("e2e")):
            item.add_marker("traced")


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collection: going through it again and again is a sixth of
    the time of small tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
