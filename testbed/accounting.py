"""Accounts for every packet: what went in must come out, once, and in order.

Pure functions over captures. A packet is recognised by what no hop may change:
IPv4 addresses, protocol, identification, fragment and length fields and the first
20 bytes after the header (for TCP: ports, sequence and acknowledgement numbers,
flags, window, checksum). TTL, MAC addresses and the IPv4 checksum change on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.capture import Packets

_ETHERNET = 14
_IPV4 = 0x0800
_UNCHANGED = np.r_[
    _ETHERNET + 2 : _ETHERNET + 8,  # length, identification, fragment
    _ETHERNET + 9,  # protocol
    _ETHERNET + 12 : _ETHERNET + 40,  # addresses, 20 bytes of the payload
]
_WORDS = 5  # 35 bytes, padded to 40


@dataclass(frozen=True)
class Account:
    """What became of the packets that went in at one point and should come out at another."""

    entered: int
    """IPv4 packets that went in."""

    left: int
    """IPv4 packets that came out."""

    lost: int
    """Packets that did not come out."""

    lost_ids: NDArray[np.uint64]
    """What `identities` says of each of them."""

    duplicated: int
    """Packets that came out more often than they went in."""

    foreign: int
    """Packets that came out and never went in."""

    reordered: int
    """Packets that a later one of the same flow and direction overtook (RFC 4737)."""

    delay_ns: NDArray[np.int64]
    """Time from in to out of the packets that came out once, in the order they went in."""

    delay_flow: NDArray[np.uint64]
    """The flow of each of them, as `flow_keys` numbers it."""

    entered_ns: NDArray[np.int64]
    """When each of them went in."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or made up."""
        return self.lost == self.duplicated == self.foreign == 0


def ipv4_only(packets: Packets) -> Packets:
    """The IPv4 packets among those captured."""
    ethertype = packets.head[:, 12].astype(np.uint16) << 8 | packets.head[:, 13]
    chosen = ethertype == _IPV4
    return Packets(packets.time_ns[chosen], packets.length[chosen], packets.head[chosen])


def identities(packets: Packets) -> NDArray[np.uint64]:
    """A 64-bit digest of what no hop may change, one a packet."""
    padded = np.zeros((len(packets), _WORDS * 8), np.uint8)
    padded[:, : len(_UNCHANGED)] = packets.head[:, _UNCHANGED]
    words = padded.view("<u8")
    digest = np.full(len(packets), 0x9E3779B97F4A7C15, np.uint64)
    for column in range(_WORDS):
        digest = _mix(digest ^ words[:, column])
    return digest


def flow_keys(packets: Packets) -> NDArray[np.uint64]:
    """A number for the flow of each packet, the same for both directions.

    It is made of protocol and of both (address, port); ports of IPv4 headers without
    options only, which is all that the hosts of the testbed send.
    """
    head = packets.head
    source = _endpoint(head, 12, 20)
    destination = _endpoint(head, 16, 22)
    low, high = np.minimum(source, destination), np.maximum(source, destination)
    return flow_key(low, high, head[:, _ETHERNET + 9].astype(np.uint64))


def flow_key(
    low: NDArray[np.uint64], high: NDArray[np.uint64], protocol: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The number of flows, from their endpoints (address × 65536 + port) and protocols."""
    return _mix(_mix(low) ^ high) ^ protocol


def account(entered: Packets, left: Packets) -> Account:
    """Compares what went in with what came out. Packets that are not IPv4 do not count."""
    entered, left = ipv4_only(entered), ipv4_only(left)
    ids_in, ids_out = identities(entered), identities(left)
    known, index, times_in = np.unique(ids_in, return_index=True, return_counts=True)
    seen, first_out, times_out = np.unique(ids_out, return_index=True, return_counts=True)
    place = np.searchsorted(seen, known)
    place_safe = np.minimum(place, max(len(seen) - 1, 0))
    came = (
        np.where(seen[place_safe] == known, times_out[place_safe], 0)
        if len(seen)
        else np.zeros(len(known), np.int64)
    )
    matched = int(np.minimum(came, times_in).sum())
    missing = np.maximum(times_in - came, 0)
    duplicated = int(np.maximum(came - times_in, 0).sum())

    once = (came == 1) & (times_in == 1)
    rank_in, rank_out = index[once], first_out[place_safe[once]] if len(seen) else index[:0]
    order = np.argsort(rank_in)
    rank_in, rank_out = rank_in[order], rank_out[order]
    directed = _directions(entered)[rank_in]
    return Account(
        entered=len(entered),
        left=len(left),
        lost=int(missing.sum()),
        lost_ids=np.repeat(known, missing),
        duplicated=duplicated,
        foreign=len(left) - matched - duplicated,
        reordered=_count_reordered(directed, rank_in, rank_out),
        delay_ns=left.time_ns[rank_out] - entered.time_ns[rank_in],
        delay_flow=flow_keys(entered)[rank_in],
        entered_ns=entered.time_ns[rank_in],
    )


def _directions(packets: Packets) -> NDArray[np.uint64]:
    """A number for the flow and direction of each packet."""
    source = _endpoint(packets.head, 12, 20)
    return flow_keys(packets) ^ _mix(source)


def _count_reordered(
    directed: NDArray[np.uint64], rank_in: NDArray[np.int64], rank_out: NDArray[np.int64]
) -> int:
    """Packets that came out after one of their direction that had gone in later."""
    order = np.lexsort((rank_out, directed))
    _, group = np.unique(directed[order], return_inverse=True)
    # One running maximum over all groups: each starts above all ranks of the one before.
    span = int(rank_in.max(initial=0)) + 1
    position = rank_in[order] + group.astype(np.int64) * span
    return int((position < np.maximum.accumulate(position)).sum()) if len(position) else 0


def _endpoint(head: NDArray[np.uint8], address: int, port: int) -> NDArray[np.uint64]:
    """Address and port, as one number; offsets are into the IPv4 header."""
    at = _ETHERNET + np.r_[address : address + 4, port : port + 2]
    number = np.zeros(len(head), np.uint64)
    for column in at:
        number = number << np.uint64(8) | head[:, column]
    return number


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit numbers that spreads every bit (the finaliser of MurmurHash3)."""
    value = value ^ value >> np.uint64(33)
    value = value * np.uint64(0xFF51AFD7ED558CCD)
    value = value ^ value >> np.uint64(33)
    value = value * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ value >> np.uint64(33)
