"""The headers that no task may set, known to whoever judges a request before it is made and to whoever makes it."""

from __future__ import annotations

import re
from typing import Final

RESERVED_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"}
    | {"accept-encoding", "proxy-authorization", "proxy-connection"}
)
"""These follow from the connection and the body; setting them is how requests are smuggled."""
BAD_HEADER_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What the value of a header may not hold (RFC 9110, 5.5); bytes above ASCII are left to who sends them."""
