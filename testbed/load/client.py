"""The client of the load: opens the flows of a workload and records how each of them went."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from testbed.load.pacer import Pacer, Sender
from testbed.load.payload import VERDICT_BYTES, Payload, Verifier, pack_header, unpack_verdict
from testbed.load.record import ERRORS, FlowRecord, LoadRecord
from testbed.load.witness import Witness
from testbed.workload import Flow

_STATUS_S = 0.5
_LAST_ECHO_S = 1.0
_MOST_OPEN = 8192  # flows at a time; usual are some hundred


class ClientConnection(asyncio.Protocol):
    """One flow, from the moment that it is connected."""

    _transport: asyncio.Transport

    def __init__(
        self, record: FlowRecord, payload: Payload, pacer: Pacer, patience_s: float
    ) -> None:
        self.record = record
        self._patience_s = patience_s
        self._payload = payload
        self._pacer = pacer
        self._sender: Sender | None = None
        self._verifier = Verifier(payload, record.number) if record.reverse else None
        self._verdict = b""
        self._cut = False
        self._last_progress = time.monotonic()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says what the flow is and begins to send."""
        self._transport = connected = cast(asyncio.Transport, transport)
        record = self.record
        record.connected = time.time()
        record.client_port = connected.get_extra_info("sockname")[1]
        connected.write(pack_header(record.number, record.size, reverse=record.reverse))
        if not record.reverse:
            self._sender = Sender(connected, self._payload, record.number, record.size)
            self._pacer.add(self._sender)

    def data_received(self, data: bytes) -> None:
        """Takes payload, or the server's verdict on it."""
        self._last_progress = time.monotonic()
        if self._verifier is not None:
            self._verifier.feed(data)
            if self._verifier.received >= self.record.size:
                self._finish(self._verifier.received, intact=self._verifier.intact)
            return
        self._verdict += data
        if len(self._verdict) >= VERDICT_BYTES:
            received, intact = unpack_verdict(self._verdict[:VERDICT_BYTES])
            sent = self._sender.sent if self._sender is not None else 0
            self._finish(received, intact=intact and received == sent)

    def eof_received(self) -> bool:
        """The server is done: right after a cut, a failure else."""
        if self.record.finished == 0:
            if self._cut and self._verifier is not None:
                self._finish(self._verifier.received, intact=self._verifier.intact)
            else:
                self.record.outcome = "reset"
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes a connection that broke."""
        if self.record.outcome == "open":
            self.record.outcome = "timeout" if isinstance(exc, TimeoutError) else "reset"
        if not self.closed.done():
            self.closed.set_result(None)

    def cut(self) -> None:
        """Ends the flow before all of its payload is sent; what was sent is verified still."""
        if self._transport.is_closing() or self._cut:
            return
        self._cut = True
        if self._sender is not None:
            self._sender.stopped = True
        self._transport.write_eof()

    def give_up(self) -> None:
        """Drops the connection; the flow counts as timed out."""
        self.record.outcome = "timeout"
        self._transport.abort()

    def is_stalled(self) -> bool:
        """Whether nothing has moved for too long; to be asked again and again."""
        now = time.monotonic()
        if self._sender is not None and self._sender.sent < self._sender.size:
            self._last_progress = now  # TCP watches over the bytes, the verdict comes after them
        return now - self._last_progress > self._patience_s

    def _finish(self, received: int, *, intact: bool) -> None:
        record = self.record
        record.finished = time.time()
        record.received = received
        whole = received == record.size
        record.outcome = "corrupt" if not intact else "done" if whole else "cut"
        self._transport.close()


@dataclass(kw_only=True)
class Client:
    """Runs a load from one host against the server on another."""

    server: str
    ports: Sequence[int]
    echo_port: int
    payload: Payload
    pacer: Pacer
    flows: Iterator[Flow]
    witnesses: int
    witness_interval_s: float
    patience_s: float
    """A flow without progress for so long has failed."""
    status_file: Path
    keep_flows: bool = True
    """Whether to keep a record of every flow; an endless load only counts."""
    record: LoadRecord = field(default_factory=LoadRecord)
    outcomes: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    """Flows that were not opened, for too many were open."""
    _open: set[ClientConnection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_ending: bool = False

    async def run(self, duration_s: float, stop: asyncio.Event, grace_s: float) -> None:
        """Opens flows for `duration_s` or until `stop`; then ends those still open."""
        loop = asyncio.get_running_loop()
        witnesses = [await self._open_witness() for _ in range(self.witnesses)]
        helpers = [
            asyncio.create_task(self.pacer.run(), name="pacer"),
            asyncio.create_task(self._witness(witnesses), name="witnesses"),
            asyncio.create_task(self._watch(), name="watch"),
        ]
        self.record.started = time.time()
        self._write_status()
        arrivals = asyncio.create_task(self._arrive(loop.time(), duration_s), name="arrivals")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({arrivals, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await self._wind_down(arrivals, grace_s)
            helpers[1].cancel()
            await asyncio.gather(*(witness.settle(_LAST_ECHO_S) for witness in witnesses))
        finally:
            for task in (arrivals, stopping, *helpers):
                task.cancel()
            await asyncio.gather(arrivals, stopping, *helpers, return_exceptions=True)
        self.record.witnesses = [witness.close() for witness in witnesses]
        self._write_status()

    async def _arrive(self, begin: float, duration_s: float) -> None:
        loop = asyncio.get_running_loop()
        for flow in self.flows:
            if flow.start_s > duration_s:
                await asyncio.sleep(max(0.0, begin + duration_s - loop.time()))
                return
            delay = begin + flow.start_s - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            if len(self._tasks) >= _MOST_OPEN:
                # The machine does not keep up: with ever more flows it never would again.
                self.skipped += 1
                continue
            task = asyncio.create_task(self._run_flow(flow), name=f"flow {flow.number}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_flow(self, flow: Flow) -> None:
        port = self.ports[flow.number % len(self.ports)]
        record = FlowRecord(flow.number, flow.size, flow.reverse, server_port=port)
        if self.keep_flows:
            self.record.flows.append(record)
        record.started = time.time()
        try:
            await self._connect(record, port)
        finally:
            if record.outcome == "open":  # given up before it was connected
                record.outcome = "timeout"
            self.outcomes[record.outcome] += 1

    async def _connect(self, record: FlowRecord, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            transport, connection = await loop.create_connection(
                lambda: ClientConnection(record, self.payload, self.pacer, self.patience_s),
                self.server,
                port,
            )
        except OSError as error:
            record.outcome = "timeout" if isinstance(error, TimeoutError) else "refused"
            return
        handle = transport.get_extra_info("socket")
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.patience_s * 1000))
        self._open.add(connection)
        if self._is_ending:  # it was being connected when the others were cut
            connection.cut()
        try:
            await connection.closed
        finally:
            self._open.discard(connection)

    async def _wind_down(self, arrivals: asyncio.Task[None], grace_s: float) -> None:
        arrivals.cancel()
        self._is_ending = True
        for connection in list(self._open):
            connection.cut()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=grace_s)
        for connection in list(self._open):
            connection.give_up()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open_witness(self) -> Witness:
        loop = asyncio.get_running_loop()
        _, witness = await loop.create_datagram_endpoint(
            Witness, remote_addr=(self.server, self.echo_port)
        )
        return witness

    async def _witness(self, witnesses: Sequence[Witness]) -> None:
        while witnesses:
            for witness in witnesses:
                await asyncio.sleep(self.witness_interval_s / len(witnesses))
                witness.send()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            for connection in list(self._open):
                if connection.is_stalled():
                    connection.give_up()
            self._write_status()

    def _write_status(self) -> None:
        status = {
            "started": self.record.started,
            "time": time.time(),
            "active": len(self._open),
            "opened": self.outcomes.total() + len(self._tasks),
            "skipped": self.skipped,
            "done": self.outcomes["done"],
            "errors": sum(self.outcomes[error] for error in ERRORS),
        }
        partial = self.status_file.with_suffix(".new")
        partial.write_text(json.dumps(status))
        partial.replace(self.status_file)
