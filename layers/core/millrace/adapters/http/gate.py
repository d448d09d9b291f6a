"""The outbound gate: the one way from a task to a socket.

A name is resolved once, every address it has is judged, and the connection goes to an address that was judged.
Asking the resolver a second time is what DNS rebinding lives on, so nothing after `judge` sees the name again
except TLS, which checks the certificate against it. HTTP stands on `connect`; other protocols will too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from millrace.adapters.http.addresses import Address, judge_address
from millrace.adapters.http.policy import Policy
from millrace.adapters.http.refusals import blocked, network
from millrace.adapters.http.urls import parse_host

if TYPE_CHECKING:
    import ssl

    from millrace.adapters.http.streams import Stream

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a DNS name and a port to every address of the name, as text. Raises OSError when there is none."""

ADDRESSES: Final = 32  # answers judged; a name with more is refused
TRIES: Final = 4  # judged addresses tried before the host counts as unreachable


class Target(Struct, frozen=True):
    """Where a connection may go. ``others`` are further judged addresses of the same name, in resolver order."""

    ip: str
    port: int
    others: tuple[str, ...] = ()


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address the operating system knows for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Gate:
    """``judge`` decides, ``connect`` decides and connects. Holds no state besides its policy."""

    def __init__(self, policy: Policy, *, resolver: Resolver = system_resolver) -> None:
        self.policy = policy
        self._resolver = resolver

    def check_port(self, host: str, port: int) -> None:
        """Needs no resolver, so it is also asked for requests that reuse a connection. Raises Refused."""
        if port not in self.policy.ports and not self.policy.allows(host, port):
            allowed = ", ".join(map(str, sorted(self.policy.ports)))
            raise blocked(
                "port",
                f"port {port} is not open to calls",
                f"Use one of {allowed}, or ask the operator to add {host}:{port} to MILLRACE_ALLOW_HOSTS.",
                host=host,
                port=port,
            )

    async def judge(self, host: str, port: int) -> Target:
        """The judged addresses of a host. Raises Refused: ``blocked`` when the host, the port or any one of the
        addresses is not allowed, ``network``/``dns`` when the name has no address."""
        host = parse_host(host)
        self.check_port(host, port)
        answers = [host] if _is_address(host) else await self._resolve(host, port)
        opened = self.policy.allows(host, port)
        judged: list[Address] = []
        for answer in answers:
            try:
                verdict = judge_address(answer)
            except ValueError:
                raise blocked("address", f"the resolver gave {answer[:80]!r} for {host}: not an address") from None
            if verdict.kind == "forbidden" or (verdict.kind != "public" and not opened):
                raise blocked(
                    "address",
                    f"{host} is at {answer}, which is {verdict.why}",
                    "Calls reach public addresses only."
                    if verdict.kind == "forbidden"
                    else f"Ask the operator to add {host}:{port} to MILLRACE_ALLOW_HOSTS.",
                    host=host,
                    port=port,
                )
            if verdict.address not in judged:
                judged.append(verdict.address)
        return Target(str(judged[0]), port, tuple(map(str, judged[1:TRIES])))

    async def connect(
        self, host: str, port: int, *, tls: ssl.SSLContext | None = None, timeout: float | None = None
    ) -> Stream:
        """A connection to a judged address; with ``tls`` the certificate must be the name's. ``timeout`` in
        seconds, for resolving and for each address. Raises Refused, or httpcore's ConnectError and
        ConnectTimeout."""
        from millrace.adapters.http.streams import open_stream, timed

        async with timed(timeout):
            target = await self.judge(host, port)
        return await open_stream(target, tls=tls, server_name=host, timeout=timeout)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        try:
            answers = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
            answers, why = (), f": {reason}"
        else:
            why = ""
        if not answers:
            raise network("dns", f"{host} could not be resolved{why}", hint="Check the name.")
        if len(answers) > ADDRESSES:
            raise blocked("address", f"{host} has more than {ADDRESSES} addresses", host=host, port=port)
        return answers


def _is_address(host: str) -> bool:
    return ":" in host or host.rsplit(".", 1)[-1].isdigit()
