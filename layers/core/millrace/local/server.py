"""The local server: the platform, the gateway before it and the demo service beside it, in one process.

Order of start: lock of the data folder, ports, platform, handlers, listeners, and only then the executions that an
earlier process left unfinished, so that what they call (the demo service too) answers.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from millrace import wiring
from millrace.local.client import Client
from millrace.local.functions import load_handlers
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.local.reconciler import Reconciler
from millrace.local.root import TEMPLATE, find_root
from millrace.local.routing import Router
from millrace.local.template import read_template
from millrace.wiring.folder import hold
from millrace.wiring.local import LocalPlatform, open_local
from millrace.wiring.settings import Settings


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
        self._platform: LocalPlatform | None = None
        self._gateway_listener: Listener | None = None
        self._demo_listener: Listener | None = None
        self._reconciler: Reconciler | None = None

    @property
    def client(self) -> Client:
        return Client(self.port)

    def start(self) -> None:
        from millrace.local.demo import create_app
        from millrace.local.gateway import Gateway

        template = read_template(self.root / TEMPLATE)
        lock = hold(self.settings.data)
        try:
            front = bind(self.settings.port, variable="MILLRACE_PORT")
            try:
                demo = bind(self.settings.demo_port, variable="MILLRACE_DEMO_PORT")
            except BaseException:
                front.close()
                raise
        except BaseException:
            lock.release()
            raise
        self.port, self.demo_port = port_of(front), port_of(demo)
        self._demo_listener = Listener(create_app(), demo, name="demo")
        try:
            self._platform = open_local(self.settings, lock=lock, demo_url=f"http://{HOST}:{self.demo_port}")
        except BaseException:
            front.close()
            demo.close()
            lock.release()
            raise
        wiring.use(self._platform.platform)
        try:
            console = self.root / "console" / "dist"
            gateway = Gateway(
                Router(template.routes),
                load_handlers(template.functions),
                port=self.port,
                stage=template.stage,
                console=console if (console / "index.html").is_file() else None,
            )
            self._gateway = gateway
            self._gateway_listener = Listener(gateway, front, name="gateway")
            self._demo_listener.start()
            self._gateway_listener.start()
            lock.announce(self.port)
            self.resumed = self._platform.resume()
            self._reconciler = Reconciler(self._platform.platform)
            self._reconciler.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop answering, then stop running, then close the store. What is unfinished resumes at the next start."""
        if self._gateway_listener is not None:
            self._gateway_listener.stop()
            self._gateway.close()
            self._gateway_listener = None
        if self._reconciler is not None:
            self._reconciler.stop()
            self._reconciler = None
        if self._platform is not None:
            wiring.use(None)
            self._platform.close()
            self._platform = None
        if self._demo_listener is not None:
            self._demo_listener.stop()
            self._demo_listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
