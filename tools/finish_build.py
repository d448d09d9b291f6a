"""Finishes what `sam build` made: bytecode into the layers, and a check that every binary is for Lambda's processor.

Importing without bytecode costs four to six times as much, and Lambda's file system is read-only, so nothing would
ever be written there. The bytecode is made by the runtime's own Python version, and is never compared with the source
(`unchecked-hash`), since nothing changes there any more.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

VERSION = "3.13"
AARCH64 = 183  # e_machine of the ELF header, ELF for the Arm 64-bit architecture


def machine_of(library: Path) -> int:
    """The processor that an ELF file is for; 0 when it is no ELF file."""
    head = library.read_bytes()[:20]
    return int(struct.unpack_from("<H", head, 18)[0]) if head[:4] == b"\x7fELF" and len(head) == 20 else 0


def main(build: Path) -> int:
    layers = [folder for folder in sorted(build.glob("*Layer/python")) if folder.is_dir()]
    wrong = [path for layer in layers for path in layer.rglob("*.so*") if machine_of(path) != AARCH64]
    for path in wrong:
        print(f"{path} is not for arm64")
    python = shutil.which(f"python{VERSION}")
    if python is None:
        print(f"no python{VERSION} here: the layers go without bytecode and start more slowly")
        return bool(wrong)
    command = [python, "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, *map(str, layers)], check=True)
    size = sum(path.stat().st_size for layer in layers for path in layer.rglob("*") if path.is_file())
    print(f"compiled {len(layers)} layers, {size / 2**20:.0f} MiB in all (Lambda unpacks at most 250)")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
