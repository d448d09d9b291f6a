"""The schemas that are published for editors say what the documents are held to, to the last limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millrace.spec.json_schema import FILES, document_schema

PUBLISHED = Path(__file__).parents[3] / "docs/schema"


@pytest.mark.parametrize("kind", sorted(FILES))
def test_the_published_schema_of_a_document_is_that_of_its_models(kind: str) -> None:
    assert json.loads((PUBLISHED / FILES[kind]).read_text()) == document_schema(kind)
