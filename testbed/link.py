"""Links between namespaces: veth pairs, with every offload off."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from pyroute2 import IPRoute

from testbed.namespace import NetworkNamespace

MTU = 1500

_SIOCETHTOOL = 0x8946
# Legacy ethtool commands; each takes (command, value).
_OFFLOADS = {
    "rx-checksum": 0x15,
    "tx-checksum": 0x17,
    "scatter-gather": 0x19,
    "tso": 0x1F,
    "gso": 0x24,
    "gro": 0x2C,
}


@dataclass(frozen=True, kw_only=True)
class LinkEnd:
    """One end of a link."""

    namespace: NetworkNamespace
    """Where the end is."""

    interface: str
    """Its name there."""

    mac: str | None = None
    """Its MAC address; one of the kernel's choice if none."""

    address: IPv4Interface | None = None
    """Its IPv4 address, if it has one."""


def connect(one: LinkEnd, other: LinkEnd) -> None:
    """Joins two ends by a veth pair and brings it up. Raises pyroute2's NetlinkError."""
    with one.namespace.entered(), IPRoute() as netlink:
        peer: dict[str, object] = {
            "ifname": other.interface,
            "net_ns_fd": other.namespace.fileno(),
        }
        netlink.link("add", ifname=one.interface, kind="veth", peer=peer)
    _set_up(one)
    _set_up(other)


def _set_up(end: LinkEnd) -> None:
    with end.namespace.entered():
        disable_offloads(end.interface)
        with IPRoute() as netlink:
            index = _index(netlink, end.interface)
            netlink.link("set", index=index, mtu=MTU)
            if end.mac is not None:
                netlink.link("set", index=index, address=end.mac)
            if end.address is not None:
                netlink.addr(
                    "add",
                    index=index,
                    address=str(end.address.ip),
                    prefixlen=end.address.network.prefixlen,
                )
            netlink.link("set", index=index, state="up")


def _index(netlink: IPRoute, interface: str) -> int:
    return next(iter(netlink.link_lookup(ifname=interface)))


def add_default_route(namespace: NetworkNamespace, gateway: IPv4Address) -> None:
    """Sends everything that is not local to `gateway`."""
    with namespace.entered(), IPRoute() as netlink:
        netlink.route("add", dst="default", gateway=str(gateway))


def bring_up_loopback(namespace: NetworkNamespace) -> None:
    """Makes 127.0.0.1 work in the namespace."""
    with namespace.entered(), IPRoute() as netlink:
        netlink.link("set", index=_index(netlink, "lo"), state="up")


def silence(namespace: NetworkNamespace) -> None:
    """Keeps the kernel from sending packets by itself, and from judging sources.

    To be called before links are made: the defaults are for new interfaces.
    """
    for scope in ("all", "default"):
        namespace.write_sysctl(f"net/ipv6/conf/{scope}/disable_ipv6", "1")
        namespace.write_sysctl(f"net/ipv4/conf/{scope}/rp_filter", "0")


def disable_offloads(interface: str) -> None:
    """Makes the kernel send whole, finished packets on the interface.

    A raw socket must see on a veth what a wire would carry: checksums filled in,
    no segment longer than the MTU.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in _OFFLOADS.values():
            value = array.array("I", [command, 0])
            pointer, _ = value.buffer_info()
            request = struct.pack("16sP16x", interface.encode(), pointer)
            fcntl.ioctl(handle, _SIOCETHTOOL, request)
