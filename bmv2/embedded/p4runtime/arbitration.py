"""Which controller is the primary (specification, section 5).

Pure: every step returns the notifications that it calls for, as (client, message)
in the order in which they must be sent. A client is whatever stands for its stream.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from finsy.proto import U128, p4r, rpc_status

from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    code_number,
    denied,
    invalid,
    not_found,
    unimplemented,
)

Client = TypeVar("Client", bound=Hashable)

_MAX_CLIENTS = 64


class Arbitration(Generic[Client]):
    """The controllers of one device, all with the default role."""

    def __init__(self, device_id: int) -> None:
        self.device_id = device_id
        self._election_ids: dict[Client, int | None] = {}
        self._primary: Client | None = None
        self._highest: int | None = None

    @property
    def primary(self) -> Client | None:
        """The client that may write, if there is one."""
        return self._primary

    def update(
        self, client: Client, request: p4r.MasterArbitrationUpdate
    ) -> list[tuple[Client, p4r.StreamMessageResponse]]:
        """A client joins, or changes its election id.

        Raises P4RuntimeError; the client's stream is to be closed with it.
        """
        is_new = client not in self._election_ids
        if request.device_id != self.device_id:
            message = f"no device {request.device_id} here, it is device {self.device_id}"
            code = Code.NOT_FOUND if is_new else Code.FAILED_PRECONDITION
            raise P4RuntimeError(code, message)
        if request.role.name:
            if not is_new:
                raise P4RuntimeError(
                    Code.FAILED_PRECONDITION, "a stream cannot change from the default role"
                )
            raise unimplemented(f"role {request.role.name!r}: only the default role is known")
        if request.role.HasField("config"):
            raise invalid("role config: the default role has none")
        election_id = U128.decode(request.election_id) if request.HasField("election_id") else None
        if election_id is not None and any(
            other == election_id for peer, other in self._election_ids.items() if peer != client
        ):
            raise invalid(f"election id {election_id} is used by another controller")
        if is_new and len(self._election_ids) >= _MAX_CLIENTS:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED, f"no more than {_MAX_CLIENTS} controllers can connect"
            )
        return self._accept(client, election_id)

    def _accept(
        self, client: Client, election_id: int | None
    ) -> list[tuple[Client, p4r.StreamMessageResponse]]:
        self._election_ids[client] = election_id
        # An election id of zero is as good as none: such a client is never the primary.
        if election_id and election_id >= (self._highest or 0):
            self._highest = election_id
            self._primary = client
            # The others hear of the change before the new primary may act on it.
            peers = [peer for peer in self._election_ids if peer != client]
            return [(peer, self._notification(peer)) for peer in [*peers, client]]
        if self._primary == client:
            self._primary = None
            return [(peer, self._notification(peer)) for peer in self._election_ids]
        return [(client, self._notification(client))]

    def leave(self, client: Client) -> list[tuple[Client, p4r.StreamMessageResponse]]:
        """A client's stream has ended. Leaving without having joined is no error."""
        self._election_ids.pop(client, None)
        if self._primary != client:
            return []
        self._primary = None
        return [(peer, self._notification(peer)) for peer in self._election_ids]

    def check_device(self, device_id: int) -> None:
        """Raises P4RuntimeError (NOT_FOUND) when a request is for another device."""
        if device_id != self.device_id:
            raise not_found(f"no device {device_id} here, it is device {self.device_id}")

    def check_primary(self, role: str, election_id: int) -> None:
        """Raises P4RuntimeError (PERMISSION_DENIED) when a write is not the primary's."""
        if role:
            raise denied(f"role {role!r}: only the default role is known")
        if self._primary is None:
            raise denied("not primary: no controller is")
        if election_id != self._highest:
            raise denied(f"not primary: election id {self._highest} is")

    def _notification(self, client: Client) -> p4r.StreamMessageResponse:
        if self._primary is None:
            status = rpc_status.Status(code=code_number(Code.NOT_FOUND), message="no primary")
        elif self._primary == client:
            status = rpc_status.Status(code=code_number(Code.OK), message="is primary")
        else:
            status = rpc_status.Status(code=code_number(Code.ALREADY_EXISTS), message="is backup")
        update = p4r.MasterArbitrationUpdate(device_id=self.device_id, status=status)
        if self._highest is not None:
            update.election_id.CopyFrom(U128.encode(self._highest))
        return p4r.StreamMessageResponse(arbitration=update)
