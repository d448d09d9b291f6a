"""The code blocks of every document, and what each claims: the words behind the language of its fence.

```bash run [exit=N]        runs, on a server that has published the examples
```bash needs=WORD          cannot run here (docker, aws, minutes); its syntax is checked
```json output              is contained in what the `run` block before it printed last
```yaml workflow [file=F]   is a document without errors; with a name, the `run` blocks after it find it under F
```yaml                     a list of tasks, checked inside a workflow; otherwise it is read
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SHELLS = frozenset({"bash", "sh", "shell", "console"})
NEEDS = frozenset({"docker", "aws", "minutes"})
_FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Snippet:
    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def option(self, name: str) -> str | None:
        """The value of ``name=value`` behind the language."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def snippets_in(page: Path, text: str) -> Iterator[Snippet]:
    """The fenced blocks of one page, in order."""
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        yield Snippet(page, text.count("\n", 0, match.start()) + 1, language, tuple(words), match["text"])


SNIPPETS = [snippet for page in PAGES for snippet in snippets_in(page, page.read_text(encoding="utf-8"))]
