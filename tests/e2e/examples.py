"""The examples as tests see them: a folder each, with what goes in and what is known to come out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret, Secrets

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    name: str

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def input(self) -> Any:
        return json.loads((self.folder / "input.json").read_text(encoding="utf-8"))

    @property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))
        return found

    @property
    def setup(self) -> dict[str, Any]:
        """What must be there before it runs: ``secrets`` by name, ``functions`` by name."""
        file = self.folder / "setup.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found


EXAMPLES = [Example(path.parent.name) for path in sorted(FOLDER.glob("*/workflow.yaml"))]
FUNCTIONS: dict[str, str] = {
    name: place for example in EXAMPLES for name, place in example.setup.get("functions", {}).items()
}
FUNCTIONS_SETTING = ",".join(f"{name}={place}" for name, place in FUNCTIONS.items())


def put_secrets(secrets: Secrets, tenant: str) -> None:
    """The secrets that the examples need."""
    for example in EXAMPLES:
        for name, held in example.setup.get("secrets", {}).items():
            secrets.put(TenantScope(tenant), name, Secret(held["value"], tuple(held["hosts"])))


def wait_until_published(names: Callable[[], Iterable[str]], *, seconds: float = 30) -> None:
    """Until ``names`` gives every example: a server listens before it has loaded a folder. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while missing := {example.name for example in EXAMPLES} - set(names()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not published: {sorted(missing)}")
        time.sleep(0.05)


def differences(expected: Any, found: Any, path: str = "$") -> list[str]:
    """Where ``found`` is not what ``expected`` says. Maps may hold more than is expected, lists may not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key, value in expected.items()
            for line in (
                differences(value, found[key], f"{path}.{key}") if key in found else [f"{path}.{key} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for place, pair in pairs for line in differences(*pair, f"{path}[{place}]")]
    if type(expected) is type(found) and expected == found:
        return []
    return [f"{path}: expected {expected!r}, found {found!r}"]
