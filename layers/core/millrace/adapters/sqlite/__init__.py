"""Documents and Feed in one SQLite file, for a person who trusts a laptop with their data."""

from millrace.adapters.sqlite.documents import SqliteDocuments
from millrace.adapters.sqlite.feed import SqliteFeed
from millrace.adapters.sqlite.lock import FolderLock, Holder

__all__ = ["FolderLock", "Holder", "SqliteDocuments", "SqliteFeed"]
