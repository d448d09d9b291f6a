"""Ports held in memory: for tests, the simulator and previews. They pass the conformance suites of the ports."""

from millrace.adapters.memory.blobs import MemoryBlobs
from millrace.adapters.memory.documents import MemoryDocuments, MemoryFeed
from millrace.adapters.memory.secrets import MemorySecrets
from millrace.adapters.memory.world import ManualClock, SeededRandom

__all__ = ["ManualClock", "MemoryBlobs", "MemoryDocuments", "MemoryFeed", "MemorySecrets", "SeededRandom"]
