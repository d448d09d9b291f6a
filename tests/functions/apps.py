"""The functions of the repository, loaded from their folders as Lambda loads them, and called by path."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.functions.events import CONTEXT, event

ROOT = Path(__file__).parents[2]
CONCERNS = ("breakers", "executions", "health", "tasks", "workflows")


def path_of(concern: str) -> Path:
    return ROOT / "functions" / concern / "app.py"


@functools.cache
def function(concern: str) -> ModuleType:
    name = f"millrace_function_{concern}"
    spec = importlib.util.spec_from_file_location(name, path_of(concern))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def handle(method: str, url: str, body: Any = None, **more: Any) -> dict[str, Any]:
    """The answer of the function that the gateway would choose for the path."""
    sent = event(method, url, body, **more)
    parts = str(sent["path"]).split("/")
    concern = parts[3] if len(parts) > 3 and parts[3] in CONCERNS else "health"
    result: dict[str, Any] = function(concern).handler(sent, CONTEXT)
    return result
