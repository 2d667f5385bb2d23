"""The test bed: switch, instances, controller and hosts, each in its namespace."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Container, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf, isinf
from pathlib import Path
from types import TracebackType
from typing import Self

from bmv2 import targets
from bmv2.target import SwitchOptions, Target, TargetError
from controlplane import p4_constants
from nf.southbound.client import InstanceClient, SouthboundError
from testbed import plan
from testbed.capture import Capture
from testbed.child import BedError, Child
from testbed.link import LinkEnd, add_default_route, bring_up_loopback, connect, silence
from testbed.load.options import LoadOptions
from testbed.namespace import NetworkNamespace
from testbed.northbound import NorthboundClient, NorthboundError
from testbed.plan import Instance, RunDirectory

_BUILD = Path(__file__).parents[1] / "p4src" / "build"
PROGRAM = _BUILD / "uhaul.json"
P4INFO = _BUILD / "uhaul.p4info.txtpb"

_READY_TIMEOUT_S = 30.0

FAILURES = (BedError, NorthboundError, SouthboundError)
"""What can go wrong on a test bed; each message is one line."""

CONTROLLER = "controller"
_STAND_BY = "stand-by"
_SOCKET_PATH_BYTES = 107  # sun_path without its final zero


@dataclass(frozen=True, kw_only=True)
class BedOptions:
    """How a test bed is set up."""

    run: RunDirectory
    """Where sockets, logs and files go; nothing is written elsewhere."""

    target: str = "auto"
    """`embedded`, `simple_switch`, or `auto`: the real one where it is installed."""

    rho: float
    """Share of the active bytes that the controller takes for the elephants'."""

    activity_window_ms: int = plan.ACTIVITY_WINDOW_MS
    """A flow is active that has sent within so long."""

    instances: int = len(plan.INSTANCES)
    """How many there are: nf1, nf2, and so on."""

    program: Path = PROGRAM
    p4info: Path = P4INFO


@dataclass(frozen=True)
class Load:
    """A live load: its two ends and what they write."""

    client: Child
    server: Child
    status_file: Path
    """JSON, twice a second."""
    result_file: Path
    """Every flow, when the client has ended; of a load with an end only."""


class Bed:
    """A running test bed. A context manager: leaving it stops everything, in order."""

    def __init__(
        self, options: BedOptions, on_step: Callable[[str], None] = lambda step: None
    ) -> None:
        """Nothing is started yet; `on_step` is told what is going on."""
        self.options = options
        self.instances = plan.make_instances(options.instances)
        self._ports = plan.make_ports(self.instances)
        self._on_step = on_step
        self._stack = ExitStack()
        self._namespaces: dict[str, NetworkNamespace] = {}
        self._target: Target | None = None
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        """Starts everything. Raises BedError."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops everything."""
        self._stack.close()

    @property
    def target(self) -> Target:
        """The switch. Raises BedError before it is started."""
        if self._target is None:
            raise BedError("the switch is not running")
        return self._target

    @property
    def northbound(self) -> NorthboundClient:
        """The controller's API."""
        return NorthboundClient(self.options.run.northbound)

    def namespace(self, name: str) -> NetworkNamespace:
        """The namespace of the switch (`s1`), a host or an instance."""
        return self._namespaces[name]

    def instance(self, instance: Instance) -> InstanceClient:
        """A southbound client; to be made inside an event loop."""
        return InstanceClient(instance.name, f"unix:{self.options.run.southbound(instance)}")

    def capture_into_switch(self, name: str) -> Capture:
        """Captures what a host or an instance sends to the switch."""
        port = next(node.port for node in (*plan.HOSTS, *self.instances) if node.name == name)
        return Capture(self.namespace(plan.SWITCH_NAME), self._ports[port])

    def capture_out_of_switch(self, name: str) -> Capture:
        """Captures what the switch sends to a host or an instance."""
        return Capture(self.namespace(name), plan.HOST_INTERFACE)

    def pids(self) -> dict[str, int]:
        """The processes of the bed by name."""
        pids = {name: child.pid for name, child in self.children.items()}
        return pids | {"switch": self.target.pid}

    def check(self, *, but: Container[str] = ()) -> None:
        """Raises BedError when one of the processes has ended, but for those."""
        for name, child in self.children.items():
            if name not in but:
                child.check()
        if not _is_running(self.target.pid):
            raise BedError(f"the switch has ended (log: {self.options.run.log('switch')})")

    # --- faults -------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """Ends a process by force: `switch`, `controller`, or an instance's name."""
        if name == "switch":
            os.kill(self.target.pid, signal.SIGKILL)
            self.target.stop()
        else:
            self.children[name].kill()

    def restart(self, name: str) -> None:
        """Starts what was killed again, as it was started first. Raises BedError."""
        if name == "switch":
            self._start_switch()
        elif name == CONTROLLER:
            self._await_controller(self._run_controller())
        else:
            instance = next(each for each in self.instances if each.name == name)
            self._await_instance(instance, self._start_instance(instance))

    def start_stand_by(self) -> None:
        """Starts a second controller. Raises BedError."""
        child = self._run_controller("--stand-by", name=_STAND_BY)
        log = self.options.run.log(_STAND_BY)
        child.wait_until(lambda: b"standing by" in log.read_bytes(), _READY_TIMEOUT_S)

    def await_stand_by(self) -> None:
        """When the controller has been killed: the other one is it from now on."""
        child = self.children.pop(_STAND_BY)
        self.children[CONTROLLER] = child
        self._await_controller(child)

    # --- load ---------------------------------------------------------------------------

    def start_load(self, options: LoadOptions, duration_s: float = inf) -> Load:
        """Starts a load from client to server. Raises BedError."""
        run = self.options.run
        status, result = run.path / "load.json", run.path / "flows.json"
        serving = run.path / "load-server.ready"
        for stale in (status, result, serving):
            stale.unlink(missing_ok=True)
        common = ["--server", str(plan.SERVER.address.ip), *options.arguments()]
        command = [sys.executable, "-m", "testbed.load"]
        server = self._start_child(
            "load server",
            plan.SERVER.name,
            [*command, "server", *common, "--status", str(serving)],
        )
        server.wait_until(serving.exists, _READY_TIMEOUT_S)
        arguments = ["--status", str(status)]
        if not isinf(duration_s):
            arguments += ["--duration", str(duration_s), "--result", str(result)]
        client = self._start_child(
            "load client", plan.CLIENT.name, [*command, "client", *common, *arguments]
        )
        return Load(client, server, status, result)

    def _start(self) -> None:
        run = self.options.run
        run.path.mkdir(parents=True, exist_ok=True)
        for old in run.path.glob("*.log"):
            old.unlink()
        longest = max((run.northbound, run.p4runtime), key=lambda path: len(str(path)))
        if len(os.fsencode(longest)) > _SOCKET_PATH_BYTES:
            raise BedError(f"{longest}: too long for a socket; use a shorter path")
        self._on_step("namespaces and links")
        self._make_network()
        self._on_step("instances")
        instances = [self._start_instance(instance) for instance in self.instances]
        self._on_step("switch")
        self._start_switch()
        for instance, child in zip(self.instances, instances, strict=True):
            self._await_instance(instance, child)
        self._on_step("controller")
        self._start_controller()

    def _make_network(self) -> None:
        names = [plan.SWITCH_NAME, *(node.name for node in (*plan.HOSTS, *self.instances))]
        try:
            for name in names:
                namespace = self._namespaces[name] = NetworkNamespace(name)
                self._stack.callback(namespace.close)
                silence(namespace)
                bring_up_loopback(namespace)
        except OSError as error:
            raise BedError(f"no network namespaces: {error.strerror}") from error
        switch = self._namespaces[plan.SWITCH_NAME]
        for node in (*plan.HOSTS, *self.instances):
            namespace = self._namespaces[node.name]
            address = node.address if isinstance(node, plan.Host) else None
            connect(
                LinkEnd(namespace=switch, interface=self._ports[node.port]),
                LinkEnd(
                    namespace=namespace,
                    interface=plan.HOST_INTERFACE,
                    mac=node.mac,
                    address=address,
                ),
            )
            if isinstance(node, plan.Host):
                add_default_route(namespace, node.gateway)

    def _start_instance(self, instance: Instance) -> Child:
        socket = self.options.run.southbound(instance)
        socket.unlink(missing_ok=True)
        return self._start_child(
            instance.name,
            instance.name,
            [
                *(sys.executable, "-m", "nf", "run", "asset-monitor"),
                *("--name", instance.name),
                *("--interface", plan.HOST_INTERFACE),
                *("--listen", f"unix:{socket}"),
            ],
        )

    def _start_switch(self) -> None:
        run = self.options.run
        run.p4runtime.unlink(missing_ok=True)
        options = SwitchOptions(
            program=self.options.program,
            p4info=self.options.p4info,
            ports=self._ports,
            cpu_port=p4_constants.CPU_PORT,
            grpc_address=f"unix:{run.p4runtime}",
            log_file=run.log("switch"),
        )
        try:
            with self._namespaces[plan.SWITCH_NAME].entered():
                target = targets.create(self.options.target, options)
                target.start()
        except TargetError as error:
            raise BedError(str(error)) from error
        self._stack.callback(target.stop)
        self._target = target

    def _await_instance(self, instance: Instance, child: Child) -> None:
        async def wait() -> None:
            async with self.instance(instance) as client:
                await client.wait_until_ready(_READY_TIMEOUT_S)

        child.wait_until(self.options.run.southbound(instance).exists, _READY_TIMEOUT_S)
        try:
            asyncio.run(wait())
        except SouthboundError as error:
            child.check()
            raise BedError(str(error)) from error

    def _start_controller(self) -> None:
        run = self.options.run
        for old in (run.northbound, *run.path.glob(f"{plan.JOURNAL}*")):
            old.unlink(missing_ok=True)
        run.topology.write_text(
            plan.topology(
                run,
                program=self.options.program,
                p4info=self.options.p4info,
                thrift=self.target.thrift_address,
                rho=self.options.rho,
                activity_window_ms=self.options.activity_window_ms,
                instances=self.instances,
            )
        )
        self._await_controller(self._run_controller())

    def _run_controller(self, *options: str, name: str = CONTROLLER) -> Child:
        config = str(self.options.run.topology)
        command = [sys.executable, "-m", "controlplane", "run", "--config", config, *options]
        return self._start_child(name, plan.SWITCH_NAME, command)

    def _await_controller(self, controller: Child) -> None:
        def is_ready() -> bool:
            try:
                return self.northbound.is_ready()
            except NorthboundError:
                return False

        controller.wait_until(is_ready, _READY_TIMEOUT_S)

    def _start_child(self, name: str, where: str, command: Sequence[str]) -> Child:
        child = Child(
            name,
            command,
            namespace=self._namespaces[where],
            log_file=self.options.run.log(name.replace(" ", "-")),
        )
        self.children[name] = child
        self._stack.callback(self._stop_child, child)
        return child

    def _stop_child(self, child: Child) -> None:
        child.stop()
        for name in [name for name, each in self.children.items() if each is child]:
            del self.children[name]


def _is_running(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
