"""A P4Runtime client that measures nothing but the switch: bare stubs, ready-made messages."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from finsy.proto import U128, p4i, p4r, p4r_grpc
from google.protobuf import text_format

from experiments.bench_switch.native import BenchError

_ELECTION_ID = U128.encode(1 << 64)  # above any controller's
_TIMEOUT_S = 30.0
_MAX_MESSAGE_BYTES = 64 << 20


class Client:
    """The primary controller of a switch. Use `connected`."""

    def __init__(self, stub: p4r_grpc.P4RuntimeStub, device_id: int) -> None:
        self._stub = stub
        self._device_id = device_id
        self._requests: queue.SimpleQueue[p4r.StreamMessageRequest | None] = queue.SimpleQueue()
        self._is_primary = threading.Event()
        self.packet_in_times_s: list[float] = []
        """When packets came from the switch, of time.perf_counter()."""

    @staticmethod
    @contextmanager
    def connected(address: str, device_id: int) -> Generator[Client]:
        """Becomes primary. Raises BenchError."""
        options = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        with grpc.insecure_channel(address, options=options) as channel:
            client = Client(p4r_grpc.P4RuntimeStub(channel), device_id)
            receiver = threading.Thread(target=client._receive, name="P4Runtime stream")
            receiver.start()
            try:
                if not client._is_primary.wait(_TIMEOUT_S):
                    raise BenchError("the switch makes the benchmark no primary controller")
                yield client
            finally:
                client._requests.put(None)
                receiver.join()

    def write(self, request: p4r.WriteRequest) -> None:
        """Writes a batch. Raises BenchError."""
        try:
            self._stub.Write(request, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise BenchError(f"a write is refused: {error}") from error

    def batch(self, kind: Any, entries: Sequence[p4r.TableEntry]) -> p4r.WriteRequest:
        """A batch of table entries."""
        return p4r.WriteRequest(
            device_id=self._device_id,
            election_id=_ELECTION_ID,
            updates=[
                p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry)) for entry in entries
            ],
        )

    def send(self, packet: p4r.PacketOut) -> None:
        """Sends a packet_out."""
        self._requests.put(p4r.StreamMessageRequest(packet=packet))

    def _receive(self) -> None:
        try:
            for response in self._stub.StreamChannel(self._messages()):
                match response.WhichOneof("update"):
                    case "packet":
                        self.packet_in_times_s.append(time.perf_counter())
                    case "arbitration":
                        self._is_primary.set()
                    case _:
                        pass
        except grpc.RpcError:
            pass  # who waits for something from the stream says that it did not come

    def _messages(self) -> Iterator[p4r.StreamMessageRequest]:
        arbitration = p4r.MasterArbitrationUpdate(
            device_id=self._device_id, election_id=_ELECTION_ID
        )
        yield p4r.StreamMessageRequest(arbitration=arbitration)
        while (message := self._requests.get()) is not None:
            yield message


class Ids:
    """The ids of a P4Info by alias."""

    def __init__(self, p4info: Path) -> None:
        self._p4info = text_format.Parse(p4info.read_text(), p4i.P4Info())

    def table(self, alias: str) -> int:
        """A table's id."""
        return _id(self._p4info.tables, alias)

    def action(self, alias: str) -> int:
        """An action's id."""
        return _id(self._p4info.actions, alias)

    def register(self, name: str) -> p4i.Register:
        """A register, by its alias."""
        return next(each for each in self._p4info.registers if each.preamble.alias == name)


def _id(objects: Any, alias: str) -> int:
    return next(each.preamble.id for each in objects if each.preamble.alias == alias)
