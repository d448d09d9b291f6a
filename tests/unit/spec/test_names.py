"""The names of the package, which are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import millrace.spec


def test_every_public_name_can_be_had() -> None:
    assert sorted(millrace.spec.__all__) == millrace.spec.__all__
    assert [] == [name for name in millrace.spec.__all__ if getattr(millrace.spec, name, None) is None]


def test_a_name_that_is_not_there_is_told_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'millrace\.spec' has no attribute 'nothing'"):
        _ = millrace.spec.nothing  # type: ignore[attr-defined]


HIDDEN = """
import pkgutil, types
from importlib import import_module
import millrace.spec
for found in pkgutil.iter_modules(millrace.spec.__path__):
    import_module(f"millrace.spec.{found.name}")
print([name for name in millrace.spec.__all__ if isinstance(getattr(millrace.spec, name), types.ModuleType)])
"""


def test_no_module_of_the_package_hides_a_name() -> None:
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("name", ["find_type", "known_types"])
def test_the_types_of_tasks_are_known_to_whoever_asks_for_them_first(name: str) -> None:
    call = {"find_type": "find_type('http').name", "known_types": "next(one for one in known_types() if one == 'http')"}
    code = f"from millrace.spec import {name}\nprint({call[name]})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "http" == done.stdout.strip()
