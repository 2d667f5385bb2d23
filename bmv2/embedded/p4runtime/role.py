"""The controllers of one role, and which of them is the primary (specification, section 5).

Pure: every step returns the notifications that it calls for, as (client, message) in the
order in which they must be sent. A client is whatever stands for its stream.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeAlias, TypeVar

from finsy.proto import U128, p4r, rpc_status

from bmv2.embedded.p4runtime.errors import Code, code_number, denied, exhausted, invalid

Client = TypeVar("Client", bound=Hashable)

Notifications: TypeAlias = "list[tuple[Client, p4r.StreamMessageResponse]]"

_MAX_CLIENTS = 64


class Role(Generic[Client]):
    """One role of a device; it outlives its controllers."""

    def __init__(self, device_id: int, name: str) -> None:
        """The default role has no name."""
        self._device_id = device_id
        self._name = name
        self._election_ids: dict[Client, int | None] = {}
        self._primary: Client | None = None
        self._highest: int | None = None

    @property
    def primary(self) -> Client | None:
        """The client that may write, if there is one."""
        return self._primary

    def update(self, client: Client, election_id: int | None) -> Notifications[Client]:
        """A client joins, or changes its election id.

        Raises P4RuntimeError; the client's stream is to be closed with it.
        """
        if election_id is not None and any(
            other == election_id for peer, other in self._election_ids.items() if peer != client
        ):
            raise invalid(f"election id {election_id} is used by another controller")
        if client not in self._election_ids and len(self._election_ids) >= _MAX_CLIENTS:
            raise exhausted(f"no more than {_MAX_CLIENTS} controllers can connect")
        self._election_ids[client] = election_id
        # Who gives none is never the primary; zero is one (section 16.2.1).
        if election_id is not None and election_id >= (self._highest or 0):
            self._highest = election_id
            self._primary = client
            # The others hear of the change before the new primary may act on it.
            peers = [peer for peer in self._election_ids if peer != client]
            return [(peer, self._notification(peer)) for peer in [*peers, client]]
        if self._primary == client:
            return self._without_primary()
        return [(client, self._notification(client))]

    def leave(self, client: Client) -> Notifications[Client]:
        """A client's stream has ended."""
        self._election_ids.pop(client, None)
        return self._without_primary() if self._primary == client else []

    def _without_primary(self) -> Notifications[Client]:
        self._primary = None
        return [(peer, self._notification(peer)) for peer in self._election_ids]

    def check_primary(self, election_id: int) -> None:
        """Raises P4RuntimeError (PERMISSION_DENIED) when a write is not the primary's."""
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
        update = p4r.MasterArbitrationUpdate(device_id=self._device_id, status=status)
        if self._name:
            update.role.name = self._name
        if self._highest is not None:
            update.election_id.CopyFrom(U128.encode(self._highest))
        return p4r.StreamMessageResponse(arbitration=update)
