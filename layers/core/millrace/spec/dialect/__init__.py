"""The other dialect: documents of ``name``, ``dependencies`` and ``steps``, read as workflows of ours.

Such a document is known by its shape, turned into our language before anything else sees it, and keeps its positions,
so that every finding points into the text as it was written. `millrace fmt` writes what it was turned into.
"""

from millrace.spec.dialect.shape import is_dialect, looks_like_dialect

__all__ = ["is_dialect", "looks_like_dialect"]
