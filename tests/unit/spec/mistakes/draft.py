"""A valid document that a mistake is about to be made in, and what a mistake is.

A mistake changes the parsed value of a document at a place that the seed chooses, and says where: a reader is to be
told of it there, above it, or below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from millrace.spec.findings import Path
from millrace.spec.nesting import task_paths

T = TypeVar("T")


class NotHere(Exception):
    """The document has no place for this mistake."""


@dataclass(frozen=True)
class Mistake:
    """``codes`` are those that may be reported."""

    name: str
    codes: frozenset[str]
    make: Callable[[Draft], Path]


MISTAKES: dict[str, Mistake] = {}


def mistake(*codes: str) -> Callable[[Callable[[Draft], Path]], Callable[[Draft], Path]]:
    """Registers a function under its name in words."""

    def register(make: Callable[[Draft], Path]) -> Callable[[Draft], Path]:
        name = make.__name__.strip("_").replace("_", " ")
        assert name not in MISTAKES, name
        MISTAKES[name] = Mistake(name, frozenset(codes), make)
        return make

    return register


class Draft:
    """The value of a document, which may be changed, and the chance that places are chosen by."""

    def __init__(self, value: Any, chance: Random) -> None:
        self.value = value
        self.chance = chance

    def pick(self, found: list[T]) -> T:
        if not found:
            raise NotHere
        return self.chance.choice(found)

    @property
    def spec(self) -> dict[str, Any]:
        held: dict[str, Any] = self.value["spec"]
        return held

    def at(self, path: Path) -> Any:
        found = self.value
        for part in path:
            found = found[part]
        return found

    def put(self, path: Path, value: Any) -> Path:
        self.at(path[:-1])[path[-1]] = value
        return path

    def tasks(self, where: Callable[[dict[str, Any]], Any] = lambda _task: True) -> list[tuple[Path, dict[str, Any]]]:
        """Every task, however deep, that ``where`` holds for."""
        return [(path, self.at(path)) for path in task_paths(self.value) if where(self.at(path))]

    def task(self, where: Callable[[dict[str, Any]], Any] = lambda _task: True) -> tuple[Path, dict[str, Any]]:
        return self.pick(self.tasks(where))

    def listed(self, where: Callable[[dict[str, Any]], Any] = lambda _task: True) -> list[tuple[Path, dict[str, Any]]]:
        """The tasks of the workflow's own list."""
        return [(path, task) for path, task in self.tasks(where) if path[:2] == ("spec", "tasks") and len(path) == 3]

    def texts(self, root: str) -> list[Path]:
        """Every text of the spec's tasks, state and output that reads something below a root by ``{{root.``."""
        found: list[Path] = []
        for key in ("state", "tasks", "output"):
            found += [path for path, text in _texts(self.spec.get(key), ("spec", key)) if f"{{{{{root}." in text]
        return found


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _texts(item, (*path, key))


def misspelt(word: str, chance: Random) -> str:
    """The word with two letters swapped, or one of it doubled."""
    at = chance.randrange(len(word))
    if at + 1 < len(word) and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[: at + 1] + word[at:]
