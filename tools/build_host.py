"""Builds what `sam build` builds, for this machine instead of Lambda's: other architecture, other Python, nothing else.

Lambda's arm64 binaries cannot be imported on most build machines. The tests that run a built function, and the
emulator, therefore work on a copy of the template in which only the architecture and the runtime's version differ.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "template.host.yaml"
TARGET = ROOT / ".aws-sam" / "host"
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


def host_template(text: str, *, architecture: str, version: str) -> str:
    """The template for another architecture (as Lambda spells it) and Python version (``3.11``)."""
    text = re.sub(r"(Architectures: )\[arm64\]", rf"\g<1>[{architecture}]", text)
    text = re.sub(r"(BuildArchitecture: )arm64", rf"\g<1>{architecture}", text)
    return text.replace("python3.13", f"python{version}")


def newest(folder: Path) -> float:
    """When the latest change below a folder was made; bytecode is no change."""
    sources = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return max((path.stat().st_mtime for path in sources), default=0.0)


def is_fresh() -> bool:
    """Whether the last build is newer than everything it was made from."""
    made = TARGET / "template.yaml"
    if not made.is_file():
        return False
    folders = ["functions", "layers", "infra", "statemachines"]
    sources = [newest(ROOT / name) for name in folders] + [(ROOT / "template.yaml").stat().st_mtime]
    return made.stat().st_mtime > max(sources)


def build(python: Path, sam: Path) -> Path:
    """Build for ``python``; answers the folder."""
    architecture = ARCHITECTURES[platform.machine().lower()]
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    COPY.write_text(host_template((ROOT / "template.yaml").read_text(), architecture=architecture, version=version))
    folder = subprocess.run(
        [sys.executable, ROOT / "tools" / "find_python.py", version], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "MACHINE": MACHINES[architecture],
        "PYTHON_VERSION": version,
    }
    try:
        subprocess.run(
            [sam, "build", "--template-file", COPY, "--build-dir", TARGET, "--config-env", "host"],
            env=environment,
            cwd=ROOT,
            check=True,
        )
    finally:
        COPY.unlink()
    for layer in TARGET.glob("*Layer/python"):
        for source in layer.rglob("__pycache__"):
            for stale in source.glob("*.pyc"):
                stale.unlink()
    layers = [str(layer) for layer in TARGET.glob("*Layer/python")]
    subprocess.run(
        [python, "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash", *layers],
        check=True,
    )
    (TARGET / "template.yaml").touch()
    return TARGET


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the Python to build for")
    parser.add_argument("--sam", type=Path, default=ROOT / ".venv-sam" / "bin" / "sam")
    parser.add_argument("--force", action="store_true", help="build although nothing has changed")
    chosen = parser.parse_args()
    if chosen.force or not is_fresh():
        build(chosen.python, chosen.sam)
    print(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
