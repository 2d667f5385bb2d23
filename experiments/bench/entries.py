"""The entries that the benchmark's traffic needs, written over P4Runtime."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import finsy as fy

from controlplane import p4_constants
from testbed import plan

_GROUP = 1


def _entry(table: str, match: fy.P4TableMatch, action: str, **parameters: int) -> fy.P4TableEntry:
    return fy.P4TableEntry(table, match=match, action=fy.P4TableAction(action, **parameters))


def _entries() -> list[fy.P4TableEntry]:
    """The client's network is steered to nf1; everything is routed to the server."""
    network = plan.CLIENT.address.network
    source = (int(network.network_address), int(network.netmask))
    server = plan.SERVER.address.network
    nf1 = plan.NF1
    steer = fy.P4TableEntry(
        "steer",
        match=fy.P4TableMatch(source=source),
        action=fy.P4TableAction("to_group", group=_GROUP),
        priority=1,
    )
    return [
        steer,
        *(
            _entry(
                "buckets", fy.P4TableMatch(group=_GROUP, bucket=bucket), "owned", owner=nf1.number
            )
            for bucket in range(p4_constants.BUCKETS)
        ),
        _entry("instances", fy.P4TableMatch(instance=nf1.number), "to_port", port=nf1.port),
        _entry("nf_ports", fy.P4TableMatch(port=nf1.port), "from_instance", instance=nf1.number),
        _entry(
            "routes",
            fy.P4TableMatch(destination=(int(IPv4Address(server[0])), server.prefixlen)),
            "to_host",
            port=plan.SERVER.port,
            source=_mac(plan.GATEWAY_MAC),
            destination=_mac(plan.SERVER.mac),
        ),
    ]


def _mac(text: str) -> int:
    return int(text.replace(":", ""), 16)


async def write_entries(address: str, *, program: Path, p4info: Path) -> None:
    """Writes them to a running switch. Raises finsy's P4ClientError."""
    options = fy.SwitchOptions(p4info=p4info, p4blob=program, device_id=1)
    async with fy.Switch(plan.SWITCH_NAME, address, options) as switch:
        await switch.write([+entry for entry in _entries()])
