"""Packets between the controller and the switch, with what their headers say."""

from __future__ import annotations

from typing import NamedTuple

PACKET_IN_FIELDS = ("reason", "instance", "ingress_port", "pad", "migration", "sequence")
PACKET_OUT_FIELDS = ("kind", "instance", "egress_port", "pad", "migration")


class PacketIn(NamedTuple):
    """A packet from the switch (header `packet_in`)."""

    reason: int
    """`PACKET_IN_*` of the P4 constants."""
    instance: int
    """The instance that bounced it, or 0."""
    ingress_port: int
    migration: int
    """Number of the migration that holds the flow, or of the barrier."""
    payload: bytes
    """The frame."""
    lost_before: int = 0
    """Packets that the switch has sent between the one before it and this one, and that did
    not arrive."""


class PacketOut(NamedTuple):
    """A packet to the switch (header `packet_out`)."""

    kind: int
    """`PACKET_OUT_*` of the P4 constants."""
    payload: bytes
    """The frame."""
    instance: int = 0
    """For a release or a marker."""
    egress_port: int = 0
    """For `PACKET_OUT_PORT`."""
    migration: int = 0
    """Number of the barrier."""
