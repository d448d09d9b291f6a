"""Where the files beside the package are: the template, the functions, the console and the examples."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from millrace.base.errors import NotFound

TEMPLATE: Final = "template.yaml"
_PACKAGE: Final = Path(__file__).resolve().parent


def find_root(*places: Path) -> Path:
    """The nearest folder at or above one of ``places`` that holds `template.yaml` and `functions/`. Without places:
    above this package, else above the working directory. Raises NotFound."""
    for begin in places or (_PACKAGE, Path.cwd()):
        for folder in (begin, *begin.parents):
            if (folder / TEMPLATE).is_file() and (folder / "functions").is_dir():
                return folder
    raise NotFound(
        "no template.yaml with a folder functions beside it was found",
        hint="Install the package from its repository (`make setup`), or run from inside it.",
    )
