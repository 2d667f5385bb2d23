"""The plan of the test bed: who there is, where, and the topology file that says so.

client ── 1 ┐        ┌ 3 ── nf1
            s1 (switch)
server ── 2 ┘        ├ 4 ── nf2
                     └ … as many as asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import yaml

GATEWAY_MAC = "02:00:00:00:ff:01"
HOST_INTERFACE = "eth0"
SWITCH_NAME = "s1"


@dataclass(frozen=True, kw_only=True)
class Host:
    """An end of the traffic."""

    name: str
    port: int
    address: IPv4Interface
    mac: str

    @property
    def gateway(self) -> IPv4Address:
        """The first address of the host's network; the switch answers for it."""
        return self.address.network[1]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A network function instance."""

    name: str
    number: int
    port: int
    mac: str


CLIENT = Host(name="client", port=1, address=IPv4Interface("10.0.1.10/24"), mac="02:00:00:00:01:10")
SERVER = Host(name="server", port=2, address=IPv4Interface("10.0.2.10/24"), mac="02:00:00:00:02:10")
HOSTS = (CLIENT, SERVER)


def make_instances(count: int) -> tuple[Instance, ...]:
    """So many instances: nf1, nf2, and so on."""
    return tuple(
        Instance(
            name=f"nf{number}",
            number=number,
            port=len(HOSTS) + number,
            mac=f"02:00:00:00:03:{number:02x}",
        )
        for number in range(1, count + 1)
    )


MOST_INSTANCES = 8
INSTANCES = make_instances(2)
"""Those that there are unless more are asked for."""
NF1, NF2 = INSTANCES


def make_ports(instances: Sequence[Instance]) -> dict[int, str]:
    """The switch's ports and the interfaces they are on."""
    return {node.port: f"{SWITCH_NAME}-{node.name}" for node in (*HOSTS, *instances)}


PORTS = make_ports(INSTANCES)


ACTIVITY_WINDOW_MS = 100
"""A flow is active that has sent within so long (paper §4.1)."""

JOURNAL = "journal.sqlite"
"""The controller's journal, in the run directory; what it needs beside it begins so."""


@dataclass(frozen=True)
class RunDirectory:
    """Where everything of a run is: sockets, logs, files."""

    path: Path

    @property
    def northbound(self) -> Path:
        """Socket of the controller's northbound API."""
        return self.path / "northbound.sock"

    @property
    def p4runtime(self) -> Path:
        """Socket of the switch's P4Runtime server."""
        return self.path / "p4rt.sock"

    @property
    def topology(self) -> Path:
        """The controller's topology file."""
        return self.path / "topology.yaml"

    def southbound(self, instance: Instance) -> Path:
        """Socket of an instance's southbound server."""
        return self.path / f"{instance.name}.sock"

    def log(self, name: str) -> Path:
        """Log of a process."""
        return self.path / f"{name}.log"


def topology(
    run: RunDirectory,
    *,
    program: Path,
    p4info: Path,
    thrift: str | None,
    rho: float,
    activity_window_ms: int = ACTIVITY_WINDOW_MS,
    instances: Sequence[Instance] = INSTANCES,
) -> str:
    """The topology file of the controller, as YAML."""
    nodes = (*HOSTS, *instances)
    return yaml.safe_dump(
        {
            "switch": {
                "name": SWITCH_NAME,
                "device_id": 1,
                "p4runtime": f"unix:{run.p4runtime}",
                "thrift": thrift,
                "program": str(program),
                "p4info": str(p4info),
            },
            "hosts": [
                {
                    "name": host.name,
                    "address": str(host.address),
                    "mac": host.mac,
                    "gateway": str(host.gateway),
                }
                for host in HOSTS
            ],
            "gateway_mac": GATEWAY_MAC,
            "instances": [
                {
                    "name": instance.name,
                    "id": instance.number,
                    "southbound": f"unix:{run.southbound(instance)}",
                }
                for instance in instances
            ],
            "links": [[node.name, f"{SWITCH_NAME}:{node.port}"] for node in nodes],
            "groups": [
                {
                    "name": "monitors",
                    "id": 1,
                    "instances": [instance.name for instance in instances],
                    "owners": [NF1.name],
                    "traffic": [
                        {
                            "clients": str(CLIENT.address.network),
                            "servers": str(SERVER.address.network),
                            "protocol": "any",
                        }
                    ],
                }
            ],
            "timers": {
                "activity_window_ms": activity_window_ms,
                "affinity_timeout_s": 60,
                "flow_rule_timeout_s": 120,
            },
            "buffer": {"max_packets": 100_000, "max_bytes": 1 << 28},
            "detection": {"rho": rho},
            "northbound": f"unix:{run.northbound}",
            "journal": JOURNAL,
        },
        sort_keys=False,
    )
