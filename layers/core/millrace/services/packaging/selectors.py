"""What a reference asks for behind its ``@``, without a store: the rules of `millrace.services.task_references`."""

from __future__ import annotations

import re
from typing import Final

from millrace.services.version_range import choose, order

LABEL_CHARS: Final = 128
_REVISION: Final = re.compile(r"r[0-9]+")


def split(reference: str) -> tuple[str, str]:
    """Name and selector; the selector is empty when the active version is meant."""
    name, _, selector = reference.partition("@")
    return name, selector


def by_revision(reference: str) -> bool:
    """Whether a reference names a revision number."""
    return _REVISION.fullmatch(split(reference)[1]) is not None


def could_mean(selector: str, label: str) -> bool:
    """Whether a selector may lead to a version of this label: ``latest`` and no selector may lead to any."""
    return selector in ("", "latest") or choose(selector, {label: 1}) == 1


def is_label(text: str) -> bool:
    try:
        order(text)
    except ValueError:
        return False
    return len(text) <= LABEL_CHARS and text.isascii()
