"""The order of a foreign graph in which each node comes behind all that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def topological(
    starts: Iterable[str], following: Callable[[str], Iterable[str]]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The nodes that can be reached, in order, and the edges that lead back and were left out of account for it.
    Depth-first search with a stack of its own, since a graph may be as deep as its document is long."""
    done: list[str] = []
    back: list[tuple[str, str]] = []
    seen: set[str] = set()
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        open_: dict[str, Iterator[str]] = {start: iter(following(start))}
        stack = [start]
        while stack:
            name = stack[-1]
            after = next(open_[name], None)
            if after is None:
                done.append(name)
                del open_[name]
                stack.pop()
            elif after in open_:
                back.append((name, after))
            elif after not in seen:
                seen.add(after)
                open_[after] = iter(following(after))
                stack.append(after)
    return done[::-1], back
