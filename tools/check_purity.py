"""Fails when a pure package reaches for the world: time, chance, environment, files, processes, sockets.

Names are judged, not behaviour: any import of a listed module is refused, and any call of a listed function.
Everywhere in the library, evaluating text as code and unpickling are refused too.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PURE = ("base", "expr", "spec", "engine")
MODULES = frozenset({
    "time", "random", "secrets", "uuid", "os", "socket", "subprocess", "pathlib", "tempfile", "shutil", "asyncio",
    "threading", "multiprocessing", "http", "urllib.request", "httpx", "boto3", "botocore", "sqlite3", "logging",
})  # fmt: skip
CALLS = frozenset({
    "open", "input", "print", "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.environ",
    "io.open", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today",
})  # fmt: skip
NOWHERE = frozenset(
    {"eval", "exec", "compile", "__import__", "pickle.loads", "pickle.load", "marshal.loads", "yaml.load"}
)


def dotted(node: ast.expr) -> str:
    """The name of a call target, as far as it is one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def problems_in(text: str, *, pure: bool) -> list[tuple[int, str]]:
    """Line and problem, for one module."""
    found: list[tuple[int, str]] = []
    tree = ast.parse(text)
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        name = dotted(node.func) if isinstance(node, ast.Call) else ""
        if "." in name and name.split(".")[0] not in imported:  # an object of the module's own, whatever it is called
            name = ""
        if name in NOWHERE or (pure and name in CALLS):
            found.append((node.lineno, f"calls {name}"))
        if not pure:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        found += [
            (node.lineno, f"imports {name}") for name in names if name in MODULES or name.split(".")[0] in MODULES
        ]
    return found


def main() -> int:
    library = ROOT / "layers/core/millrace"
    said = [
        f"{path.relative_to(ROOT)}:{line}: {problem}"
        for path in sorted(library.rglob("*.py"))
        for line, problem in problems_in(
            path.read_text(encoding="utf-8"), pure=path.relative_to(library).parts[0] in PURE
        )
    ]
    print("\n".join(said) or "purity: no findings")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
