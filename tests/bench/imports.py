"""Import time of every function against the imports it cannot do without, each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FLOOR = (
    "import aws_lambda_powertools.event_handler, aws_lambda_powertools.event_handler.openapi.models, "
    "aws_lambda_powertools.event_handler.middlewares.openapi_validation, pydantic, msgspec"
)
DRIVER_FLOOR = "import asyncio, msgspec, pydantic"
TRIES = 9


def _seconds(code: str) -> float:
    """The least time of several fresh interpreters for one statement, without the interpreter's own start."""
    script = f"import time; began = time.perf_counter()\n{code}\nprint(time.perf_counter() - began)"
    return min(
        float(
            subprocess.run(
                [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout.splitlines()[-1]
        )
        for _ in range(TRIES)
    )


def rows() -> list[dict[str, Any]]:
    out = []
    web, driver = _seconds(FLOOR), _seconds(DRIVER_FLOOR)
    for path in sorted((ROOT / "functions").glob("*/app.py")):
        floor = web if "resolver" in path.read_text() or "api" in path.read_text() else driver
        ours = _seconds(f"import runpy; runpy.run_path({str(path)!r})")
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
