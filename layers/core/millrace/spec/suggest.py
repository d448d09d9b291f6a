"""Did-you-mean: the nearest known names to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_NAMES = 2_000  # comparing is linear in the names; past this a suggestion is not worth its time


def nearest(word: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most three names that resemble ``word``, best first; case and separators count little."""
    names = sorted(set(known))
    if len(names) > _MOST_NAMES or len(word) > 200:
        return ()
    import difflib  # only who made a mistake waits for it

    folded = {_fold(name): name for name in reversed(names)}
    found = difflib.get_close_matches(_fold(word), list(folded), n=3, cutoff=0.65)
    return tuple(folded[name] for name in found)


def asking(names: tuple[str, ...]) -> str:
    """`` Did you mean "a"?``, or nothing."""
    return f' Did you mean "{names[0]}"?' if names else ""


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
