"""What a cold start loads: each function in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.functions.apps import CONCERNS, path_of

HEAVY = ("boto3", "httpx", "jsonschema", "pynamodb", "re2", "ruamel", "yaml", "croniter", "cryptography")
# botocore is not in the list: the package of the resolver imports its root by itself.
LOOK = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sorted(sys.modules))"


def loaded(concern: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path_of(concern))], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("concern", CONCERNS)
def test_a_function_loads_no_heavy_library_before_it_needs_one(concern: str) -> None:
    assert set() == loaded(concern) & set(HEAVY)


@pytest.mark.parametrize("concern", ["breakers", "executions", "health"])
def test_a_function_that_reads_no_documents_does_not_load_the_spec(concern: str) -> None:
    assert [] == [name for name in loaded(concern) if name.startswith(("millrace.spec", "millrace.engine.transforms"))]
