"""One switch for each module and target.

REQUIRE_TARGETS=embedded,simple_switch in the environment makes a missing target a failure.
PTF_SEED chooses the random flows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path
from random import Random

import pytest
from ptf_controller import Controller
from ptf_fates import FENCE_ADDRESS
from ptf_frames import GATEWAY_MAC, bytes_of_mac
from ptf_network import PtfNetwork
from ptf_switch import PtfSwitch

from bmv2 import simple_switch, targets
from bmv2.embedded.compiler import find_compiler
from bmv2.embedded.errors import CompileError
from bmv2.target import SwitchOptions
from controlplane.config import SwitchConfig
from controlplane.p4_constants import BUCKETS, CPU_PORT
from controlplane.switch import entries
from controlplane.switch.entries import Entry
from testbed import plan
from testbed.bed import P4INFO, PROGRAM

GROUP = 1


def _why_missing(target: str) -> str | None:
    if target == "simple_switch" and not simple_switch.is_installed():
        return "simple_switch_grpc is not on PATH"
    if target == "embedded":
        try:
            find_compiler()
        except CompileError as error:
            return str(error)
    return None


def _give_up(target: str, reason: str) -> None:
    if target in os.environ.get("REQUIRE_TARGETS", "").split(","):
        pytest.fail(f"target {target} is required: {reason}")
    pytest.skip(reason)


def _mac(mac: str) -> int:
    return int.from_bytes(bytes_of_mac(mac))


def _base() -> list[Entry]:
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


@pytest.fixture(scope="module", params=["embedded", "simple_switch"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PtfSwitch]:
    target: str = request.param
    reason = _why_missing(target)
    if reason is not None:
        _give_up(target, reason)
    directory = tmp_path_factory.mktemp("switch")
    with ExitStack() as stack:
        try:
            network = stack.enter_context(PtfNetwork())
        except PermissionError:
            _give_up(target, "needs a sandbox: python -m testbed.sandbox pytest …")
            raise
        yield _start(stack, target, network, directory)


def _start(stack: ExitStack, target: str, network: PtfNetwork, directory: Path) -> PtfSwitch:
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
    return PtfSwitch(network, controller, _base())


@pytest.fixture
def switch(running: PtfSwitch) -> Iterator[PtfSwitch]:
    """The switch, with the entries of the plan."""
    yield running
    running.restore()


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Random numbers, the same in every run."""
    seed = f"{os.environ.get('PTF_SEED', '1')} {request.node.name}"
    print(f"seed: {seed}")
    return Random(seed)
