"""Prints the folder that holds a Python of the version asked for (``3.13``), so that it can be put first on PATH.

Prints the folder of the Python that runs this when there is no such version: then only building for AWS is lost.
Looks on PATH and where pyenv keeps its versions, since pyenv's own entries on PATH answer for one version only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def works(python: Path, version: str) -> bool:
    """Whether the file runs and is of that version."""
    try:
        said = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return False
    return said.stdout.strip() == version


def find(version: str) -> Path:
    """The folder."""
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    if pyenv.is_dir():
        folders += [folder / "bin" for folder in sorted(pyenv.glob(f"{version}*"), reverse=True)]
    for folder in folders:
        python = folder / f"python{version}"
        if python.is_file() and works(python, version):
            return folder
    return Path(sys.executable).parent


if __name__ == "__main__":
    print(find(sys.argv[1]))
