"""Findings for people (text with carets) and for other tools (SARIF 2.1.0, OASIS)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from millrace.spec.findings import CODES, Finding, pointer

_LEVELS: Final = {"error": "error", "warning": "warning", "hint": "note"}
_WIDEST: Final = 160  # columns of a source line that are shown
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def findings_text(findings: Sequence[Finding], filename: str, text: str = "") -> str:
    """One block per finding: ``file:line:column: severity: message [code]``, the line with a caret, the fix.

    ``text`` is the source of the document; without it the lines are left out.
    """
    lines = text.splitlines()
    out: list[str] = []
    for finding in findings:
        where = f"{filename}:{finding.line}:{finding.column}"
        out.append(f"{where}: {finding.severity}: {finding.message} [{finding.code}]")
        if 0 < finding.line <= len(lines):
            out += _caret(lines[finding.line - 1], finding.column)
        if finding.fix:
            out.append(f"    fix: {finding.fix}")
    count = {level: sum(f.severity == level for f in findings) for level in _LEVELS}
    said = ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in count.items() if n)
    return "\n".join([*out, f"{filename}: {said or 'no findings'}"]) + "\n"


def sarif(documents: Iterable[tuple[str, Sequence[Finding]]]) -> dict[str, Any]:
    """A SARIF 2.1.0 log of (file name, findings) pairs, as JSON data."""
    pairs = list(documents)
    used = sorted({finding.code for _, findings in pairs for finding in findings})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": CODES[code][1]},
            "defaultConfiguration": {"level": _LEVELS[CODES[code][0]]},
        }
        for code in used
    ]
    results = [_result(name, finding, used.index(finding.code)) for name, findings in pairs for finding in findings]
    driver = {"name": "millrace", "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(name: str, finding: Finding, rule: int) -> dict[str, Any]:
    region = {"startLine": max(finding.line, 1), "startColumn": max(finding.column, 1)}
    text = f"{finding.message} {finding.fix}".strip()
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(name)}, "region": region},
                "logicalLocations": [{"fullyQualifiedName": pointer(finding.path)}],
            }
        ],
    }


def _caret(line: str, column: int) -> list[str]:
    start = max(0, column - 1 - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[start : start + _WIDEST].replace("\t", " ")
    before = shown[: column - 1 - start]
    width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in before)
    return [f"    {shown}", f"    {' ' * width}^"]
