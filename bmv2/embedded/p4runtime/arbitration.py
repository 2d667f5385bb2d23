"""The roles of one device, and who plays which (specification, section 5).

A role is known as soon as a controller has asked for it, and has the whole pipeline in its
scope: no scheme to say less (`Role.config`) is agreed upon.
"""

from __future__ import annotations

from typing import Generic

from finsy.proto import U128, p4r

from bmv2.embedded.p4runtime.errors import (
    Code,
    P4RuntimeError,
    denied,
    exhausted,
    invalid,
    not_found,
)
from bmv2.embedded.p4runtime.role import Client, Notifications, Role

_MAX_ROLES = 64


class Arbitration(Generic[Client]):
    """The controllers of one device."""

    def __init__(self, device_id: int) -> None:
        self.device_id = device_id
        self._roles: dict[str, Role[Client]] = {"": Role(device_id, "")}
        self._role_names: dict[Client, str] = {}

    @property
    def primaries(self) -> tuple[Client, ...]:
        """The primary of each role that has one."""
        primaries = (role.primary for role in self._roles.values())
        return tuple(primary for primary in primaries if primary is not None)

    def update(self, client: Client, request: p4r.MasterArbitrationUpdate) -> Notifications[Client]:
        """A client joins, or changes its election id.

        Raises P4RuntimeError; the client's stream is to be closed with it.
        """
        former = self._role_names.get(client)
        if request.device_id != self.device_id:
            message = f"no device {request.device_id} here, it is device {self.device_id}"
            code = Code.NOT_FOUND if former is None else Code.FAILED_PRECONDITION
            raise P4RuntimeError(code, message)
        name = request.role.name
        if former is not None and former != name:
            raise P4RuntimeError(
                Code.FAILED_PRECONDITION, f"a stream cannot change its role, which is {former!r}"
            )
        if request.role.HasField("config"):
            raise invalid(f"role {name!r}: no scheme for a role config is agreed upon")
        role = self._roles.get(name) or self._new_role(name)
        election_id = U128.decode(request.election_id) if request.HasField("election_id") else None
        notifications = role.update(client, election_id)
        self._roles[name] = role
        self._role_names[client] = name
        return notifications

    def _new_role(self, name: str) -> Role[Client]:
        if len(self._roles) >= _MAX_ROLES:
            raise exhausted(f"there are {_MAX_ROLES} roles, which are all there can be")
        return Role(self.device_id, name)

    def leave(self, client: Client) -> Notifications[Client]:
        """A client's stream has ended. Leaving without having joined is no error."""
        name = self._role_names.pop(client, None)
        return [] if name is None else self._roles[name].leave(client)

    def check_device(self, device_id: int) -> None:
        """Raises P4RuntimeError (NOT_FOUND) when a request is for another device."""
        if device_id != self.device_id:
            raise not_found(f"no device {device_id} here, it is device {self.device_id}")

    def check_role(self, name: str) -> None:
        """Raises P4RuntimeError (NOT_FOUND) when no controller has ever had a role."""
        if name not in self._roles:
            raise not_found(f"no role {name!r} here")

    def check_primary(
        self, request: p4r.WriteRequest | p4r.SetForwardingPipelineConfigRequest
    ) -> None:
        """Raises P4RuntimeError when a request is not the primary's of its role."""
        self.check_device(request.device_id)
        self.check_role(request.role)
        if not request.HasField("election_id"):
            raise denied("not primary: the election id is missing")
        self._roles[request.role].check_primary(U128.decode(request.election_id))
