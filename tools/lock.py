"""Resolves requirements/*.in into lock files with hashes, for every platform and Python from 3.11 on.

The vendor layer gets a lock file of its own: what the functions import, for the Python they run on, without the AWS
SDK, which the runtime already has.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--quiet", "--upgrade"]
SDK = ("boto3", "botocore", "s3transfer", "urllib3")


def compile_lock(source: str, target: str, *options: str) -> None:
    """One lock file."""
    subprocess.run(
        ["uv", "pip", "compile", source, *COMMON, *options, "--custom-compile-command", "make lock", "-o", target],
        cwd=ROOT,
        check=True,
    )
    text = (ROOT / target).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("--index-url", "--extra-index-url", "--find"))]
    (ROOT / target).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {target}")


def main() -> None:
    for name in ("runtime", "local", "dev", "emulator", "sam"):
        compile_lock(f"requirements/{name}.in", f"requirements/{name}.txt", "--universal", "--python-version", "3.11")
    without = [option for package in SDK for option in ("--no-emit-package", package)]
    compile_lock(
        "requirements/vendor.in",
        "layers/vendor/requirements.txt",
        "--python-version",
        "3.13",
        "--python-platform",
        "aarch64-manylinux_2_28",
        "--constraint",
        "requirements/runtime.txt",
        *without,
    )


if __name__ == "__main__":
    main()
