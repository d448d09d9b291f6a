"""Import time of every function against the imports it cannot do without, each in a fresh interpreter.

Ours and the floor alike are read from bytecode, as they are in a function: what is deployed is compiled before
(`tools/finish_build.py`), while a fresh clone, or a machine that writes no bytecode, would measure the compiler.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLOOR = (
    "import aws_lambda_powertools.event_handler, aws_lambda_powertools.event_handler.openapi.models, "
    "aws_lambda_powertools.event_handler.middlewares.openapi_validation, pydantic, msgspec"
)
MODELS_FLOOR = "import asyncio, msgspec, pydantic\nclass One(pydantic.BaseModel):\n    value: int"
"""Pydantic brings most of itself along when it builds the first model."""
PLAIN_FLOOR = "import asyncio, msgspec"
FLOORS = {"aws_lambda_powertools": FLOOR, "pydantic": MODELS_FLOOR, "": PLAIN_FLOOR}
"""What a function cannot do without, by the heaviest package that it imports."""
TRIES = 9


def _seconds(code: str, bytecode: str) -> float:
    """The least CPU time of several fresh interpreters for one statement, without the interpreter's own start; a first
    one leaves its bytecode in the folder ``bytecode``."""
    script = f"import time; began = time.process_time()\n{code}\nprint(time.process_time() - began)"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = [
        float(
            subprocess.run(
                [sys.executable, "-c", script],
                cwd=ROOT,
                env={**variables, "PYTHONPYCACHEPREFIX": bytecode},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.splitlines()[-1]
        )
        for _ in range(1 + TRIES)
    ]
    return min(found[1:])


def _loads(package: str, code: str) -> bool:
    script = f"{code}\nimport sys\nprint({package!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1] == "True"


def rows() -> list[dict[str, Any]]:
    out = []
    with tempfile.TemporaryDirectory(prefix="millrace-bytecode-") as bytecode:
        floors = {name: _seconds(code, bytecode) for name, code in FLOORS.items()}
        for path in sorted((ROOT / "functions").glob("*/app.py")):
            code = f"import runpy; runpy.run_path({str(path)!r})"
            floor = floors[next(name for name in FLOORS if not name or _loads(name, code))]
            ours = _seconds(code, bytecode)
            out.append(
                {
                    "name": f"import functions/{path.parent.name}",
                    "ms": ours * 1e3,
                    "floor_ms": floor * 1e3,
                    "ratio": ours / floor,
                    "aim": 1.15,
                    "floor": "its third-party imports",
                }
            )
    return out


if __name__ == "__main__":
    for row in rows():
        print(f"{row['name']:28} {row['ms']:7.1f} {row['floor_ms']:7.1f} {row['ratio']:5.2f}")
