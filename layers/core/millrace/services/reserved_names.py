"""Names that no definition may have, since a path of the API stands there (or is announced to).

``/workflows/validate`` is a verb, so a workflow called ``validate`` could not be addressed. A test compares this
list with the routes: every static segment below a collection is in it.
"""

from __future__ import annotations

from typing import Final

ROUTED: Final = frozenset({"import", "validate"})
ANNOUNCED: Final = frozenset({"budgets", "export", "labels", "search", "stats"})
RESERVED: Final = ROUTED | ANNOUNCED
