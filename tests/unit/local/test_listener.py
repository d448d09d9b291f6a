from __future__ import annotations

import asyncio
import socket

from millrace.local.listener import bind, port_of


def test_an_accepted_connection_sends_at_once() -> None:
    """Nagle's algorithm and a client's delayed acknowledgement cost 40 ms per answer on a kept connection."""

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            transport = writer.get_extra_info("socket")
            found.set_result(transport.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        bound = bind(0, variable="MILLRACE_PORT")
        async with await asyncio.start_server(meet, sock=bound):
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(bound))
            answer = await found
            writer.close()
            await writer.wait_closed()
        return answer

    assert 0 != asyncio.run(accepted())
