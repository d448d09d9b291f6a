"""The local server: the platform, the gateway before it and the demo service beside it, in one process.

Order of start: lock of the data folder, ports, platform, handlers, listeners, and only then the executions that an
earlier process left unfinished, so that what they call (the demo service too) answers.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from millrace import wiring
from millrace.local.client import Client
from millrace.local.functions import load_handlers
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.local.reconciler import Reconciler
from millrace.local.root import TEMPLATE, find_root
from millrace.local.routing import Router
from millrace.local.template import read_template
from millrace.wiring.folder import hold
from millrace.wiring.local import open_local
from millrace.wiring.settings import Settings

LAST_PORT: Final = 65_535


class LocalServer:
    """A server between `start` and `stop`, or inside ``with``.

    Raises Conflict when another process holds the data folder, Unavailable when a port is taken.
    """

    def __init__(self, settings: Settings, *, root: Path | None = None) -> None:
        self.settings = settings
        self.root = root or find_root()
        self.port = 0
        self.demo_port = 0
        self.resumed = 0
        self._undo = ExitStack()

    @property
    def client(self) -> Client:
        return Client(self.port)

    def start(self) -> None:
        """Returns when requests are answered; what an earlier process left unfinished is then taken up."""
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Stop answering, then stop running, then close the store. What is unfinished resumes at the next start."""
        self._undo.close()

    def _start(self, undo: ExitStack) -> None:
        from millrace.local.demo import create_app
        from millrace.local.gateway import Gateway

        template = read_template(self.root / TEMPLATE)
        lock = hold(self.settings.data)
        undo.callback(lock.release)
        front = undo.enter_context(bind(self.settings.port, variable="MILLRACE_PORT"))
        demo = undo.enter_context(bind(demo_port_of(self.settings), variable="MILLRACE_DEMO_PORT"))
        self.port, self.demo_port = port_of(front), port_of(demo)
        demo_listener = Listener(create_app(), demo, name="demo", grace=1)
        undo.callback(demo_listener.stop)
        local = open_local(self.settings, demo_url=f"http://{HOST}:{self.demo_port}")
        undo.callback(local.close)
        undo.callback(wiring.use, wiring.use(local.platform))
        console = self.root / "console" / "dist"
        gateway = Gateway(
            Router(template.routes),
            load_handlers(template.functions),
            port=self.port,
            stage=template.stage,
            console=console if (console / "index.html").is_file() else None,
        )
        undo.callback(gateway.close)
        reconciler = Reconciler(local.platform, local.documents.sweep)
        undo.callback(reconciler.stop)
        gateway_listener = Listener(gateway, front, name="gateway")
        undo.callback(gateway_listener.stop)
        undo.callback(gateway.drain)
        demo_listener.start()
        gateway_listener.start()
        lock.announce(self.port)
        self.resumed = local.resume()
        reconciler.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def demo_port_of(settings: Settings) -> int:
    """Executions remember the demo service's address, so it is the same after every restart."""
    if settings.demo_port is not None:
        return settings.demo_port
    return settings.port + 1 if 0 < settings.port < LAST_PORT else 0
