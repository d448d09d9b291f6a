"""Where the files beside the package are: the template, the functions, the console and the examples."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from millrace.base.errors import NotFound

TEMPLATE: Final = "template.yaml"
_PACKAGE: Final = Path(__file__).resolve().parent


def find_root(start: Path | None = None) -> Path:
    """The nearest folder above the package, else above ``start`` (default: the working directory), that holds
    `template.yaml` and `functions/`. Raises NotFound."""
    for begin in (_PACKAGE, (start or Path.cwd()).resolve()):
        for folder in (begin, *begin.parents):
            if (folder / TEMPLATE).is_file() and (folder / "functions").is_dir():
                return folder
    raise NotFound(
        "no template.yaml with a folder functions beside it was found",
        hint="Install the package from its repository (`make setup`), or run from inside it.",
    )
