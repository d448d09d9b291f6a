"""The checks that CI runs do find what they are for."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"millrace_tool_{name}", TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_at(root: Path, text: str) -> Path:
    folder = root / "layers/core/millrace"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text(text)
    return root


def test_a_short_module_with_its_reason_passes(tmp_path: Path) -> None:
    assert [] == tool("check_modules").problems(module_at(tmp_path, '"""Why."""\n'))


def test_a_module_without_its_reason_fails(tmp_path: Path) -> None:
    (said,) = tool("check_modules").problems(module_at(tmp_path, "A = 1\n"))
    assert said.endswith("one.py: does not open with why it exists")


def test_a_module_that_is_too_long_fails_and_so_does_the_median(tmp_path: Path) -> None:
    said = tool("check_modules").problems(module_at(tmp_path, '"""Why."""\n' + "A = 1\n" * 400))
    assert ["401 lines, and the limit is 400", "401 lines, and the limit is 150"] == [
        line.split(" has ")[-1].split(": ")[-1] for line in said
    ]


@pytest.mark.parametrize(
    "text",
    ["import time", "from datetime import datetime\ndatetime.now()", "import os.path", "open('x')", "print(1)",
     "from urllib.request import urlopen", "import uuid", "def f():\n    import random"],
)  # fmt: skip
def test_reaching_for_the_world_is_found_in_a_pure_package_only(text: str) -> None:
    problems_in = tool("check_purity").problems_in
    assert 1 == len(problems_in(text, pure=True))
    assert [] == problems_in(text, pure=False)


@pytest.mark.parametrize(
    "text", ["eval('1')", "exec(x)", "import pickle\npickle.loads(b'')", "compile('a', 'b', 'eval')"]
)
def test_running_text_is_found_everywhere(text: str) -> None:
    assert 1 == len(tool("check_purity").problems_in(text, pure=False))


def test_what_only_sounds_alike_passes() -> None:
    text = "import re, datetime, math\nre.compile('a')\nself.open()\nx.eval()\nfrom . import time\n"
    assert [] == tool("check_purity").problems_in(text, pure=True)


def test_an_import_brings_in_what_it_brings_in() -> None:
    loaded = tool("check_imports").loaded
    assert "decimal" in loaded("import decimal")
    assert "decimal" not in loaded("import millrace")


def test_a_statement_that_cannot_run_ends_the_check() -> None:
    with pytest.raises(SystemExit, match="ModuleNotFoundError"):
        tool("check_imports").loaded("import nothing_of_this_name")


def test_the_processor_of_a_library_is_read_from_its_header(tmp_path: Path) -> None:
    machine_of = tool("finish_build").machine_of
    path = tmp_path / "x.so"
    for machine in (183, 62):
        path.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", machine))
        assert machine == machine_of(path)
    path.write_bytes(b"text")
    assert 0 == machine_of(path)


def test_this_python_is_found_and_an_unknown_one_falls_back() -> None:
    find = tool("find_python").find
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (find(here) / f"python{here}").is_file()
    assert Path(sys.executable).parent == find("3.99")
