"""What comes in and what goes out, apart from how it is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field


class Request(Struct, frozen=True):
    """``path`` and ``query`` are still encoded; the names of headers are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query, pair by pair, still encoded."""
        return pairs_of(self.query)

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """The cookies in their order, still encoded."""
        parts = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return [(name, value) for name, sign, value in parts if sign]


class Answer(Struct, frozen=True):
    """``operation`` is empty where the request was for none; ``source`` says where the body is from: ``example``,
    ``example NAME``, ``made``, ``empty`` or ``problem``."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    operation: str
    source: str


class Fault(Struct, frozen=True):
    """What does not fit: ``place`` is path, query, header, cookie or body; ``at`` a JSON Pointer into the value;
    ``message`` the end of a sentence."""

    place: str
    name: str
    at: str
    message: str

    @property
    def sentence(self) -> str:
        what = "the body" if self.place == "body" else f"the {self.place} parameter {self.name}"
        return f"{what}{f' at {self.at}' if self.at else ''} {self.message}"

    def to_json(self) -> dict[str, str]:
        return {"in": self.place, "name": self.name, "at": self.at, "problem": self.message}


class Misfit(Exception):
    """A request that the operation does not take, with the status that says so."""

    def __init__(self, status: int, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].sentence)
        self.status, self.faults = status, tuple(faults)


def pairs_of(text: str) -> list[tuple[str, str]]:
    """``a=1&b=2`` as pairs, still encoded."""
    parts = (part.partition("=") for part in text.split("&") if part)
    return [(name, value) for name, _, value in parts]
