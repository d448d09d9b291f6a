"""Every kind of mistake that is made in a valid document, at a place chosen by chance, is found near that place.

The documents are those of the folder `bases`, the examples of the documentation and the small workflows that every
orchestrator runs; none of them has a finding of its own but those that are written down here.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path as File
from random import Random
from typing import Any

import pytest

from millrace.cli.validate import judge
from millrace.local.documents import Document, files_in, read_file
from millrace.spec import Finding, Workflow, load
from millrace.spec.findings import Path
from tests.unit.spec.mistakes import flows, references, values
from tests.unit.spec.mistakes.draft import MISTAKES, Draft, Mistake, NotHere

pytestmark = pytest.mark.repeats

ROOT = File(__file__).resolve().parents[3]
BASES = File(__file__).parent / "mistakes" / "bases"
FOLDERS = (BASES, ROOT / "docs" / "examples", ROOT / "tests" / "corpus")
SEEDS = 3
OWN = 4
OTHERS = 4
"""Documents beside those made for this test that a mistake is made in, per seed."""
FEWEST = 9
"""So often each mistake is made at least, over documents and seeds."""
WRITTEN = {
    ("advanced-event-driven", "dialect-changed"),
    ("advanced-event-driven", "dialect-marker"),
    ("advanced-event-driven", "dialect-undeclared"),
    ("advanced-event-driven", "kept-for-later"),
    ("handlers", "may-be-missing"),
    ("small-handlers", "may-be-missing"),
    ("small-switch", "may-be-missing"),
    ("small-switch", "unreachable-case"),
}
"""Warnings about documents that are as they are on purpose."""


@cache
def documents() -> list[Document]:
    return [
        document
        for folder in FOLDERS
        for file in files_in(folder)
        if file.suffix != ".json"
        for document in read_file(file)
    ]


@cache
def bases() -> list[tuple[str, Any]]:
    """The workflows in our own language, by name, as plain data."""
    found = [load(document.text, media="yaml") for document in documents() if document.kind == "Workflow"]
    small = [one for one in found if len(json.dumps(one.value)) < 12_000 and one.source.value is one.value]
    return [(one.document.metadata.name, one.value) for one in small if isinstance(one.document, Workflow)]


def judged(value: Any) -> list[Finding]:
    """The findings about one document among all others."""
    name = value.get("metadata", {}).get("name")
    others = [one for one in documents() if one.kind == "WorkflowTask" or one.file.name in ("charge.yaml",)]
    others = [one for one in others if f"name: {name}" not in one.text.decode()]
    changed = Document(File("changed.json"), json.dumps(value).encode(), "json", 0)
    return judge([*others, changed])[-1][1]


def near(finding: Finding, place: Path) -> bool:
    """Whether a finding stands at a place, above it or below it; at the root of the document only for what is there."""
    both = min(len(finding.path), len(place))
    return finding.path[:both] == place[:both] and (both > 0 or not place)


def made(one: Mistake, seed: int) -> list[tuple[str, Any, Path]]:
    """The documents with the mistake in them, and where it is."""
    found: list[tuple[str, Any, Path]] = []
    own, others = bases()[:OWN], bases()[OWN:]
    Random(f"{one.name} {seed}").shuffle(others)
    for name, base in [*own, *others]:
        if len(found) >= OWN + OTHERS:
            break
        draft = Draft(copy.deepcopy(base), Random(f"{one.name} {name} {seed}"))
        try:
            place = one.make(draft)
        except NotHere:
            continue
        found.append((name, draft.value, place))
    return found


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_a_mistake_is_found_where_it_was_made(name: str) -> None:
    one = MISTAKES[name]
    missed, tried = [], 0
    for seed in range(SEEDS):
        for base, value, place in made(one, seed):
            found = judged(value)
            tried += 1
            if not any(finding.code in one.codes and near(finding, place) for finding in found):
                missed.append((base, seed, place, [(f.code, f.path, f.message) for f in found]))
    assert [] == missed
    assert tried >= FEWEST


def test_there_are_many_kinds_of_mistakes() -> None:
    assert 60 <= len(MISTAKES)
    assert {module.__name__ for module in (flows, references, values)} == {
        one.make.__module__ for one in MISTAKES.values()
    }


def test_documents_without_a_mistake_have_no_findings_but_those_written_down() -> None:
    found = set()
    for document, findings in judge(documents()):
        loaded = load(document.text, media="yaml").document
        assert loaded is not None
        found |= {(loaded.metadata.name, one.code) for one in findings if one.severity != "hint"}
    assert WRITTEN == found
