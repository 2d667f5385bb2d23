"""The server of the load: takes payloads and verifies them, or sends them on request."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import cast

from testbed.load.pacer import Pacer, Sender
from testbed.load.payload import (
    HEADER_BYTES,
    Payload,
    Verifier,
    pack_verdict,
    unpack_header,
)


class ServerConnection(asyncio.Protocol):
    """One connection: header, then the payload in the direction that it names."""

    _transport: asyncio.Transport

    def __init__(self, payload: Payload, pacer: Pacer) -> None:
        self._payload = payload
        self._pacer = pacer
        self._head = b""
        self._size = 0
        self._verifier: Verifier | None = None
        self._sender: Sender | None = None
        self._judged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Takes the header, then payload."""
        if self._verifier is None:
            if self._sender is not None:
                self._transport.abort()  # a client that receives has nothing more to say
                return
            data = self._take_header(data)
        if self._verifier is not None and data:
            self._verifier.feed(data)
            if self._verifier.received >= self._size:
                self._judge(self._verifier)

    def eof_received(self) -> bool:
        """The client has sent all that it will send; a cut payload is judged as it is."""
        if self._sender is not None:
            self._sender.stopped = True
        elif self._verifier is not None:
            self._judge(self._verifier)
        return False  # close, after what is still to be sent

    def _take_header(self, data: bytes) -> bytes:
        """Reads the header; what follows it in `data`."""
        self._head += data
        if len(self._head) < HEADER_BYTES:
            return b""
        head, rest = self._head[:HEADER_BYTES], self._head[HEADER_BYTES:]
        self._head = b""
        try:
            flow, self._size, reverse = unpack_header(head)
        except ValueError:
            self._transport.abort()
            return b""
        if reverse:
            self._sender = Sender(self._transport, self._payload, flow, self._size)
            self._pacer.add(self._sender)
        else:
            self._verifier = Verifier(self._payload, flow)
        return rest

    def _judge(self, verifier: Verifier) -> None:
        if not self._judged:
            self._judged = True
            verdict = pack_verdict(verifier.received, intact=verifier.intact)
            self._transport.write(verdict)


class Echo(asyncio.DatagramProtocol):
    """Sends every datagram back."""

    _transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Sends it back."""
        self._transport.sendto(data, addr)


async def serve(
    *,
    address: str,
    ports: Sequence[int],
    echo_port: int,
    payload: Payload,
    pacer: Pacer,
    on_ready: Callable[[], None],
) -> None:
    """Serves until SIGTERM; calls `on_ready` when all ports listen. Raises OSError."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    servers = [
        await loop.create_server(
            lambda: ServerConnection(payload, pacer), address, port, backlog=1024
        )
        for port in ports
    ]
    echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=(address, echo_port))
    pacing = asyncio.create_task(pacer.run(), name="pacer")
    on_ready()
    try:
        await stopped.wait()
    finally:
        pacing.cancel()
        echo.close()
        for server in servers:
            server.close()
        await asyncio.gather(pacing, return_exceptions=True)
