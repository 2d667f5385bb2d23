"""A P4Runtime client on raw stubs, synchronous, that keeps the status of each update."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from finsy.proto import U128, p4r, p4r_grpc, rpc_status

DEVICE = 1
_ELECTION_ID = U128.encode(100)  # above that of whoever loaded the program
_WAIT_S = 10.0


class P4RuntimeClient:
    """The primary controller of a switch. Close it at the end."""

    def __init__(self, address: str) -> None:
        """Connects and becomes primary."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub: Any = p4r_grpc.P4RuntimeStub(self._channel)
        self._requests: queue.SimpleQueue[p4r.StreamMessageRequest | None] = queue.SimpleQueue()
        self._responses: queue.SimpleQueue[p4r.StreamMessageResponse] = queue.SimpleQueue()
        stream: Any = self._stub.StreamChannel(self._sent())
        self._receiver = threading.Thread(target=self._receive, args=[stream], daemon=True)
        self._receiver.start()
        arbitration = p4r.MasterArbitrationUpdate(device_id=DEVICE, election_id=_ELECTION_ID)
        self.send(p4r.StreamMessageRequest(arbitration=arbitration))
        answer = self.receive()
        assert answer.arbitration.status.code == 0, answer

    def close(self) -> None:
        """Ends the session."""
        self._requests.put(None)
        self._channel.close()
        self._receiver.join(_WAIT_S)

    def _sent(self) -> Iterator[p4r.StreamMessageRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def _receive(self, stream: Any) -> None:
        try:
            for response in stream:
                self._responses.put(response)
        except grpc.RpcError:
            pass  # the channel was closed, or the switch has ended: whoever waits will say so

    def send(self, message: p4r.StreamMessageRequest) -> None:
        """Sends a message on the stream."""
        self._requests.put(message)

    def receive(self) -> p4r.StreamMessageResponse:
        """The next message on the stream."""
        return self._responses.get(timeout=_WAIT_S)

    def write(self, updates: Sequence[p4r.Update]) -> list[int]:
        """Writes a batch; the status code of each update."""
        request = p4r.WriteRequest(device_id=DEVICE, election_id=_ELECTION_ID, updates=updates)
        try:
            self._stub.Write(request, timeout=_WAIT_S)
        except grpc.RpcError as error:
            return _codes(error, len(updates))
        return [0] * len(updates)

    def read(self, *entities: p4r.Entity) -> list[p4r.Entity]:
        """Reads entities. Raises grpc.RpcError."""
        request = p4r.ReadRequest(device_id=DEVICE, entities=entities)
        answer: Any = self._stub.Read(request, timeout=_WAIT_S)
        return [entity for response in answer for entity in response.entities]


def _codes(error: Any, count: int) -> list[int]:
    """The codes in the details of a failed batch; the batch's own where there are none."""
    encoded = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if encoded is None:
        return [error.code().value[0]] * count
    codes: list[int] = []
    for detail in rpc_status.Status.FromString(encoded).details:
        message = p4r.Error()
        assert detail.Unpack(message)
        codes.append(message.canonical_code)
    return codes
