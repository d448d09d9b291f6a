"""The findings of a document of the dialect: what was turned into what, and what could not be."""

from __future__ import annotations

from collections.abc import Collection

from millrace.spec.findings import Finding, Path
from millrace.spec.source import Node
from millrace.spec.suggest import asking, nearest


class Report:
    """``path`` counts in the document as it was written; positions are those of ``node``."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def error(self, code: str, message: str, path: Path, node: Node, fix: str) -> None:
        self.findings.append(Finding(code, "error", message, path, *node.at, fix))

    def warn(self, code: str, message: str, path: Path, node: Node, fix: str) -> None:
        self.findings.append(Finding(code, "warning", message, path, *node.at, fix))

    def hint(self, code: str, message: str, path: Path, node: Node, fix: str) -> None:
        self.findings.append(Finding(code, "hint", message, path, *node.at, fix))

    def unknown(self, node: Node, path: Path, known: Collection[str]) -> None:
        """One error for each key of a mapping that the dialect does not have."""
        for key in node.keys.keys() - set(known):
            names = nearest(key, known)
            message = f'"{key}" is not a key that is known here.{asking(names)}'
            fix = f"Write {names[0]}." if names else "Take it out."
            self.findings.append(Finding("unknown-key", "error", message, (*path, key), *node.keys[key], fix, names))
