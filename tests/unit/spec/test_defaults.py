"""What a record of a document holds where nothing is said."""

from __future__ import annotations

from tests.unit.initial import initial

KNOWN: dict[str, object] = {
    "dependencies.Graph.whole": True,
    "registry.TaskType.price": "none",
    "registry.TaskType.templated": True,
    "source.Node.size": 1,
}


def test_what_a_record_of_a_document_leaves_out_is_empty_but_for_these() -> None:
    assert KNOWN == initial("millrace.spec")
