"""Small workflows that every orchestrator must run alike, and the examples of the documentation beside them.

``metadata.annotations.corpus`` says how each is run: ``input``, the ``status`` it ends with, ``act`` (cancel, signal or
approve) once task ``after`` has a retry scheduled or waits and the execution is parked, ``parks`` when it must have
parked, ``standard`` when on AWS it begins on the Standard machine, ``shared`` which workflows of the folder `shared` it
starts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from millrace.local.documents import files_in, read_file
from millrace.spec import load

ROOT = Path(__file__).resolve().parents[2]


TIMED = frozenset({"circuit-breaker"})
"""Examples whose history depends on how soon one attempt follows another, which an emulated cloud does slowly; what
they show stands in this folder without the time."""


PARKS = frozenset({"large-loop"})
"""Examples that wait for what runs beside them."""


@dataclass(frozen=True)
class Case:
    """One workflow of the corpus; ``tasks`` are the reusable tasks it may name, ``shared`` the workflows, in the order
    in which they have to be published."""

    name: str
    source: bytes
    tasks: tuple[bytes, ...] = ()
    input: dict[str, Any] = field(default_factory=dict)
    status: str = "succeeded"
    act: str = ""
    after: str = ""
    parks: bool = False
    standard: bool = False
    shared: tuple[bytes, ...] = ()

    @property
    def workflow(self) -> str:
        document = load(self.source, media="yaml").document
        assert document is not None
        return document.metadata.name


def small() -> list[Case]:
    """The workflows of this folder."""
    cases = []
    for path in sorted((ROOT / "tests" / "corpus").glob("*.yaml")):
        source = path.read_bytes()
        notes = yaml.safe_load(source)["metadata"]["annotations"]["corpus"]
        shared = (path.parent / "shared" / f"{name}.yaml" for name in notes.pop("shared", ()))
        notes["shared"] = tuple(other.read_bytes() for other in shared)
        cases.append(Case(path.stem, source, **notes))
    return cases


def examples() -> list[Case]:
    """The documented examples that need nothing set up, with the input and the expected status beside each, and the
    reusable tasks of all."""
    folder = ROOT / "docs" / "examples"
    documents = [document for file in files_in(folder) if file.suffix != ".json" for document in read_file(file)]
    tasks = tuple(document.text for document in documents if document.kind == "WorkflowTask")
    cases = []
    for document in documents:
        if document.kind == "Workflow":
            beside = document.file.parent
            if (beside / "setup.json").exists() or beside.name in TIMED:
                continue
            given = json.loads((beside / "input.json").read_text())
            status = json.loads((beside / "expected.json").read_text())["status"]
            if (beside / "workflow.yaml") != document.file:
                continue
            shared = tuple(one.text for one in documents if one.kind == "Workflow" and one.file.parent == beside)
            others = tuple(text for text in shared if text != document.text)
            cases.append(
                Case(
                    f"example-{beside.name}",
                    document.text,
                    tasks,
                    given,
                    status,
                    parks=beside.name in PARKS,
                    shared=others,
                )
            )
    return cases
