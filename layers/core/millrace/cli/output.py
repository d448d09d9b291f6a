"""What the command prints: text for people, JSON for programs, and nothing that could steer a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str, *, lines: bool = False) -> str:
    """Text without control characters and direction marks: each is written out as an escape, so that a name or a
    message from elsewhere can neither move the cursor nor forge a line. ``lines`` keeps line breaks."""
    safe = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text).replace("\t", " ")
    return safe if lines else safe.replace("\n", "\\n")


def _details(facts: Mapping[str, Any]) -> list[str]:
    """What stands behind a problem one by one: why each part of a document is in the way, or who is affected."""
    lines = [f"{plain(str(one['path']))}: {plain(str(one['message']))}" for one in facts.get("reasons") or ()]
    lines += [f"{plain(str(one['kind']))} {plain(str(one['name']))}" for one in facts.get("affected") or ()]
    return lines if len(lines) > 1 else []


class Output:
    """``json`` turns `data` on and `say` off; problems and warnings always go to the error stream, then as JSON too."""

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    @property
    def live(self) -> bool:
        """Whether a person watches, so that lines may be drawn again."""
        return not self.as_json and self.out.isatty()

    def say(self, text: str) -> None:
        if not self.as_json:
            self._write(self.out, text)

    def warn(self, text: str) -> None:
        if self.as_json:
            print(json.dumps({"warning": text}, ensure_ascii=True), file=self.err, flush=True)
            return
        self._write(self.err, text)

    def data(self, value: Any) -> None:
        """One JSON document on one line."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=True), file=self.out, flush=True)

    def pretty(self, value: Any) -> None:
        """A value for people to read, as JSON over several lines."""
        self.say(json.dumps(value, ensure_ascii=False, indent=2))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns; on a terminal as a table."""
        if self.as_json:
            return
        if self.live:
            from millrace.cli.progress import draw_table

            draw_table(self.out, columns, rows)
            return
        cells = [list(columns), *[[plain(cell) for cell in row] for row in rows]]
        widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
        for row in cells:
            print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip(), file=self.out)
        self.out.flush()

    def problem(self, message: str, *, hint: str = "", facts: Mapping[str, Any] | None = None, code: str = "") -> None:
        if self.as_json:
            text = {"error": {"code": code, "message": message, "hint": hint, "facts": dict(facts or {})}}
            print(json.dumps(text, ensure_ascii=True, default=str), file=self.err, flush=True)
            return
        self._write(self.err, f"millrace: {message}")
        for line in _details(facts or {}):
            self._write(self.err, f"  {line}")
        if hint:
            self._write(self.err, f"  {hint}")

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        encoding = stream.encoding or "utf-8"
        safe = plain(text, lines=True).encode(encoding, "backslashreplace").decode(encoding)
        print(safe, file=stream, flush=True)
