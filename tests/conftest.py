"""Which tests are run with coverage tracing: those of single modules, but for those that play many cases; and how
property tests draw their examples: the same ones each time, or with `MILLRACE_EXPLORE` (`make explore`) others."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile("explore" if os.environ.get("MILLRACE_EXPLORE") else "fixed")
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
