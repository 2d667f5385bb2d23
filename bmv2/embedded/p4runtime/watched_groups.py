"""Groups whose members stand back while a port is down (specification, section 9.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from finsy.proto import p4r

from bmv2.embedded.p4runtime.backend import Backend
from bmv2.embedded.p4runtime.errors import invalid


class Share(NamedTuple):
    """A member in a group."""

    member: int
    """The handle of the data plane."""
    weight: int
    watch_port: int | None
    """The port without which the member is of no use; none where it watches no port."""


_Message: TypeAlias = p4r.ActionProfileGroup.Member | p4r.ActionProfileAction


def shares(members: Sequence[int], messages: Sequence[_Message]) -> tuple[Share, ...]:
    """The members of a group, by handle, with what the controller says of each."""
    return tuple(
        Share(member, message.weight, _watch_port(message))
        for member, message in zip(members, messages, strict=True)
    )


def _watch_port(message: _Message) -> int | None:
    match message.WhichOneof("watch_kind"):
        case "watch_port" if message.watch_port:
            return int.from_bytes(message.watch_port, "big")
        case "watch":
            return message.watch  # pyright: ignore[reportDeprecated]  # older controllers use it
        case _:
            return None


class WatchedGroups:
    """The groups that one action profile has in the data plane."""

    def __init__(self, profile: str, backend: Backend) -> None:
        self._profile = profile
        self._backend = backend
        self._watching: dict[int, tuple[Share, ...]] = {}
        self._down: frozenset[int] = frozenset()

    @property
    def is_watching(self) -> bool:
        """Whether it matters to any group which ports are down."""
        return bool(self._watching)

    def check_ports(self, messages: Sequence[_Message]) -> None:
        """Raises P4RuntimeError for a port that the switch does not have."""
        for port in map(_watch_port, messages):
            if port is not None and not self._backend.has_port(port):
                raise invalid(f"watch_port {port} is no port of the switch")

    def add(self, members: tuple[Share, ...]) -> int:
        """Adds a group; its handle."""
        group = self._backend.group_add(self._profile, self._active(members))
        self._keep(group, members)
        return group

    def modify(self, group: int, members: tuple[Share, ...]) -> None:
        """Gives a group other members."""
        self._backend.group_modify(self._profile, group, self._active(members))
        self._keep(group, members)

    def delete(self, group: int) -> None:
        """Removes a group."""
        self._backend.group_delete(self._profile, group)
        self._watching.pop(group, None)

    def set_down(self, ports: frozenset[int]) -> None:
        """From now on members that watch one of these ports get no packets, and others do."""
        changed, self._down = ports ^ self._down, ports
        for group, members in self._watching.items():
            if any(member.watch_port in changed for member in members):
                self._backend.group_modify(self._profile, group, self._active(members))

    def _keep(self, group: int, members: tuple[Share, ...]) -> None:
        if any(member.watch_port is not None for member in members):
            self._watching[group] = members
        else:
            self._watching.pop(group, None)

    def _active(self, members: tuple[Share, ...]) -> list[int]:
        return [
            share.member
            for share in members
            if share.watch_port not in self._down
            for _ in range(share.weight or 1)  # 0 where the program leaves weights to the switch
        ]
