"""Results as JUnit XML, in the shape that CI servers read: the common denominator of Jenkins, GitLab and GitHub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold even as an escape (section 2.2, Char)."""


def junit_xml(reports: Sequence[Mapping[str, Any]], seconds: Mapping[tuple[str, str], float] | None = None) -> str:
    """One ``testsuite`` a workflow, one ``testcase`` a test. ``reports`` are of `report`; ``seconds`` is how long a
    test really took, by workflow and name."""
    times = seconds or {}
    root = ET.Element("testsuites", {"name": "millrace"})
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for one in reports:
        counts = {"tests": len(one["tests"]), "failures": one["failed"], "errors": one["errors"]}
        spent = sum(times.get((one["workflow"], test["name"]), 0.0) for test in one["tests"])
        attributes = {"name": _text(one["workflow"]), **{key: str(value) for key, value in counts.items()}}
        suite = ET.SubElement(root, "testsuite", {**attributes, "skipped": "0", "time": f"{spent:.3f}"})
        for key, value in counts.items():
            totals[key] += value
        for test in one["tests"]:
            _case(suite, one["workflow"], test, times.get((one["workflow"], test["name"]), 0.0))
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", f"{sum(times.values()):.3f}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, workflow: str, test: Mapping[str, Any], seconds: float) -> None:
    attributes = {"name": _text(test["name"]), "classname": _text(workflow), "time": f"{seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", attributes)
    if test["error"] is not None:
        error = test["error"]
        said = ET.SubElement(element, "error", {"message": _text(error["message"]), "type": _text(error["code"])})
        said.text = _text(f"{error['message']}\n{error['hint']}")
    elif test["failures"]:
        first = test["failures"][0]
        said = ET.SubElement(element, "failure", {"message": _text(first["message"]), "type": "expectation"})
        lines = [
            line for one in test["failures"] for line in (one["message"], *(f"  {at}" for at in one["differences"]))
        ]
        said.text = _text("\n".join(lines))


def _text(text: str) -> str:
    """Text that XML can hold: what it cannot stands as the escape of its code point."""
    return _ILLEGAL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
