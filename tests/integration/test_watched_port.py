"""A group of an action selector does without the member whose port has no link.

simple_switch_grpc looks for links in /sys, where those of a network namespace are not.

Run inside a sandbox: python -m testbed.sandbox pytest tests/integration/test_watched_port.py
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import finsy as fy
import pytest
from pyroute2 import IPRoute
from test_targets import free_port

from bmv2 import targets
from bmv2.target import SwitchOptions
from testbed.link import LinkEnd, connect, silence
from testbed.namespace import NetworkNamespace

PROGRAM = Path(__file__).parents[1] / "programs" / "build" / "profile"
LINKS = ("in", "out", "watched")
GROUPS = "FencedIngress.process.groups"
OPTIONS = fy.SwitchOptions(
    p4info=PROGRAM.with_suffix(".p4info.txtpb"),
    p4blob=PROGRAM.with_suffix(".json"),
    device_id=1,
    initial_election_id=1,
)
SOURCE = 7
_ETH_P_ALL = 0x0003
_PATIENCE_S = 10


@pytest.fixture
def namespaces() -> Iterator[tuple[NetworkNamespace, NetworkNamespace]]:
    """Ours and the switch's, with three links."""
    try:
        near, far = NetworkNamespace("near"), NetworkNamespace("far")
    except PermissionError:
        pytest.skip("needs a sandbox: python -m testbed.sandbox pytest …")
    for namespace in (near, far):
        silence(namespace)
    for name in LINKS:
        connect(LinkEnd(namespace=near, interface=name), LinkEnd(namespace=far, interface=name))
    yield near, far
    near.close()
    far.close()


@contextlib.contextmanager
def running(namespace: NetworkNamespace, directory: Path) -> Generator[str]:
    """A switch with the program profile.p4; where it serves P4Runtime."""
    with namespace.entered():
        options = SwitchOptions(
            program=PROGRAM.with_suffix(".json"),
            p4info=PROGRAM.with_suffix(".p4info.txtpb"),
            ports=dict(enumerate(LINKS)),
            cpu_port=510,
            grpc_address=f"unix:{directory}/p4rt",
            log_file=directory / "switch.log",
            thrift_port=free_port(),
        )
        target = targets.create("embedded", options)
        target.start()
    try:
        yield options.grpc_address
    finally:
        target.stop()


@contextlib.contextmanager
def wire(namespace: NetworkNamespace, interface: str) -> Generator[socket.socket]:
    with namespace.entered():
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with opened:
        opened.bind((interface, _ETH_P_ALL))
        opened.settimeout(5)
        yield opened


@dataclass
class Asker:
    """Sends a frame in and sees what the program has answered."""

    into: socket.socket
    out: socket.socket

    def ask(self, flow: int) -> int:
        """The answer of the member that takes a flow."""
        key = bytes([1, flow, 0, 0])
        self.into.send(bytes(6) + SOURCE.to_bytes(6, "big") + bytes(2) + key + bytes(46))
        return int.from_bytes(self.out.recv(1 << 16)[16:18], "big")

    async def wait_for(self, flow: int, expected: int) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while (found := self.ask(flow)) != expected:
            assert time.monotonic() < deadline_s, f"the answer is {found}, not {expected}"
            await asyncio.sleep(0.02)


def set_link(namespace: NetworkNamespace, interface: str, state: str) -> None:
    with namespace.entered(), IPRoute() as netlink:
        index = next(iter(netlink.link_lookup(ifname=interface)))
        netlink.link("set", index=index, state=state)


async def test_a_member_stands_back_while_its_port_has_no_link(
    namespaces: tuple[NetworkNamespace, NetworkNamespace], tmp_path: Path
) -> None:
    near, far = namespaces
    with running(far, tmp_path) as address:
        await follow_a_link(near, address)


async def follow_a_link(near: NetworkNamespace, address: str) -> None:
    async with asyncio.timeout(_PATIENCE_S), fy.Switch("s1", address, OPTIONS) as switch:
        await switch.write(
            [
                +fy.P4ActionProfileMember(
                    GROUPS, member_id=each, action=fy.P4TableAction("answer", number=each)
                )
                for each in (1, 2)
            ]
        )
        members = [fy.P4Member(1, weight=(1, 2)), fy.P4Member(2, weight=1)]
        group = fy.P4ActionProfileGroup(GROUPS, group_id=1, max_size=2, members=members)
        await switch.write([+group])
        key = fy.P4TableMatch({"hdr.ethernet.src": SOURCE})
        to_group = fy.P4IndirectAction(group_id=1)
        await switch.write([+fy.P4TableEntry("with_groups", match=key, action=to_group)])
        with wire(near, "in") as into, wire(near, "out") as out:
            asker = Asker(into, out)
            flow = next(each for each in range(256) if asker.ask(each) == 1)
            await asyncio.to_thread(set_link, near, "watched", "down")
            await asker.wait_for(flow, 2)
            await asyncio.to_thread(set_link, near, "watched", "up")
            await asker.wait_for(flow, 1)
