"""Follows a running execution: a table drawn again in place on a terminal, one line per change elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from millrace.cli import shapes
from millrace.cli.output import Output, plain

if TYPE_CHECKING:
    from rich.table import Table


class Progress(Protocol):
    def show(self, execution: Mapping[str, Any]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """Says a task's status each time it changes, and what keeps the execution from going on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: dict[str, tuple[str, str]] = {}
        self._standing = ""

    def show(self, execution: Mapping[str, Any]) -> None:
        standing = shapes.standing(execution)
        if standing != self._standing and standing != str(execution.get("status", "")):
            self._say(f"  {standing}")
        self._standing = standing
        for name, status, attempts, took in shapes.task_rows(execution):
            now = (status, attempts)
            if self._known.get(name) == now or status in {"", "pending"}:
                continue
            self._known[name] = now
            more = [f"attempt {attempts}"] if attempts not in {"0", "1"} else []
            more += [took] if took else []
            self._say(f"  {plain(name)}: {plain(status)}" + (f" ({', '.join(more)})" if more else ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class LiveTable:
    """Draws the table of tasks in place."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(file=stream), auto_refresh=False)

    def show(self, execution: Mapping[str, Any]) -> None:
        self._live.update(_table(shapes.TASK_COLUMNS, shapes.task_rows(execution)), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def progress(output: Output) -> Progress:
    return LiveTable(output.out) if output.live else Lines(output.say)


def draw_table(stream: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table once on a terminal."""
    from rich.console import Console

    Console(file=stream).print(_table(columns, rows))


_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "timedOut": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "skipped": "dim",
}


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell), style=_COLOURS.get(cell.split(" ")[0], "")) for cell in row))
    return table
