"""What `make build` makes is for Lambda's processor, has its bytecode, and fits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.build_host import ROOT, newest
from tools.find_python import find, works
from tools.finish_build import AARCH64, machine_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BUILT = ROOT / ".aws-sam" / "build"
UNPACKED_BYTES = 250 * 1024 * 1024
"""Lambda's limit on a function with all its layers, unpacked."""


@pytest.fixture(scope="module")
def layers() -> Iterator[list[Path]]:
    """The built layers; a build that is missing or older than its sources is made."""
    if not works(find("3.13") / "python3.13", "3.13"):
        pytest.skip("building for Lambda needs Python 3.13 on this machine")
    made = BUILT / "template.yaml"
    sources = [newest(ROOT / name) for name in ("functions", "layers", "infra", "statemachines")]
    if not made.is_file() or made.stat().st_mtime < max(sources):
        subprocess.run(["make", "build"], cwd=ROOT, check=True)
    yield [BUILT / "CoreLayer" / "python", BUILT / "VendorLayer" / "python"]


def libraries(layers: list[Path]) -> list[Path]:
    return [path for layer in layers for path in layer.rglob("*.so*")]


def test_every_binary_is_for_arm64(layers: list[Path]) -> None:
    found = libraries(layers)
    assert 5 < len(found)
    assert [] == [path.name for path in found if machine_of(path) != AARCH64]


def test_every_binary_is_for_the_python_of_the_template(layers: list[Path]) -> None:
    tagged = [path.name for path in libraries(layers) if ".cpython-" in path.name]
    assert 5 < len(tagged)
    assert [] == [name for name in tagged if ".cpython-313-" not in name]


def test_every_module_of_ours_has_bytecode(layers: list[Path]) -> None:
    sources = list((layers[0] / "millrace").rglob("*.py"))
    assert 200 < len(sources)
    compiled = {path.name for path in (layers[0] / "millrace").rglob("*.cpython-313.pyc")}
    assert [] == [path for path in sources if f"{path.stem}.cpython-313.pyc" not in compiled]


def test_the_layers_fit_into_a_function(layers: list[Path]) -> None:
    size = sum(path.stat().st_size for layer in layers for path in layer.rglob("*") if path.is_file())
    assert UNPACKED_BYTES // 2 > size
