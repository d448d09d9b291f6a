"""Remarks on an expression that compiles: what a person should look at, with the text that would settle it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Note(Struct, frozen=True):
    """``offset`` and ``length`` count characters of the source; ``fix`` is the text to put there, or empty.

    Codes: ``alias`` (another spelling of a root), ``braces`` (``{{ }}`` around a bare expression),
    ``ambiguous-hyphen`` (a name or a subtraction), ``int-division`` (may truncate), ``template-key`` (a map key
    holds ``{{`` and is not rendered).
    """

    code: str
    severity: Literal["warning", "hint"]
    offset: int
    length: int
    message: str
    fix: str = ""
