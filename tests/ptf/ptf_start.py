"""Starts a switch with our program, wires and the test bed's entries."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path

from ptf_controller import Controller
from ptf_fates import FENCE_ADDRESS
from ptf_frames import GATEWAY_MAC, bytes_of_mac
from ptf_network import PtfNetwork
from ptf_switch import PtfSwitch
from ptf_targets import NO_SANDBOX, give_up

from bmv2 import targets
from bmv2.target import SwitchOptions
from controlplane.config import SwitchConfig
from controlplane.p4_constants import BUCKETS, CPU_PORT
from controlplane.switch import entries
from controlplane.switch.entries import Entry
from testbed import plan
from testbed.bed import P4INFO, PROGRAM

GROUP = 1


def _mac(mac: str) -> int:
    return int.from_bytes(bytes_of_mac(mac))


def base() -> list[Entry]:
    """What the tables hold before each test: the test bed's plan, all flows at nf1."""
    client, server = plan.CLIENT, plan.SERVER
    clients, servers = client.address.network, server.address.network
    gateway = _mac(GATEWAY_MAC)
    return [
        entries.timers(activity_window_us=10_000_000, affinity_timeout_us=60_000_000),
        entries.gateway(FENCE_ADDRESS, gateway),
        *(entries.gateway(host.gateway, gateway) for host in plan.HOSTS),
        *(
            entries.route(IPv4Network(host.address.ip), host.port, gateway, _mac(host.mac))
            for host in plan.HOSTS
        ),
        *(entries.nf_port(each.port, each.number) for each in plan.INSTANCES),
        *(entries.instance_port(each.number, each.port) for each in plan.INSTANCES),
        *(entries.bucket(GROUP, number, plan.NF1.number) for number in range(BUCKETS)),
        entries.steer(clients, servers, None, GROUP),
        entries.steer(servers, clients, None, GROUP),
    ]


def enter_network(stack: ExitStack, target: str, network: PtfNetwork) -> None:
    """Makes wires that `stack` takes away; gives the test up where that is not allowed."""
    try:
        stack.enter_context(network)
    except PermissionError:
        give_up(target, NO_SANDBOX)


def start(stack: ExitStack, target: str, directory: Path) -> PtfSwitch:
    """A switch that `stack` stops."""
    network = PtfNetwork()
    enter_network(stack, target, network)
    address = f"unix:{directory}/p4rt.sock"
    switch = targets.create(
        target,
        SwitchOptions(
            program=PROGRAM,
            p4info=P4INFO,
            ports=plan.PORTS,
            cpu_port=CPU_PORT,
            grpc_address=address,
            log_file=directory / "switch.log",
        ),
    )
    stack.callback(switch.stop)
    with network.switch_side.entered():
        switch.start()
    config = SwitchConfig(
        name="s1",
        p4runtime=address,
        thrift=switch.thrift_address,
        program=PROGRAM,
        p4info=P4INFO,
    )
    controller = stack.enter_context(Controller(config, network.switch_side))
    return PtfSwitch(network, controller, base())
