"""Data as YAML that people read and edit, and that our reader reads back as the same."""

from __future__ import annotations

import io
from typing import Any


def yaml_text(value: Any) -> str:
    """Block style, long texts on one line. Raises nothing for plain JSON."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="rt")
    yaml.width = 4096
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()
