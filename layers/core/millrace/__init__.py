"""Millrace, a durable workflow orchestration platform."""

from typing import Final

__version__: Final = "0.1.0"
