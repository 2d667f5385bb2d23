"""The ground of the benchmark: a switch's ports, traffic at one, counters at all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.bench_switch.native import BenchError, Programs
from testbed import plan
from testbed.link import LinkEnd, bring_up_loopback, connect, silence
from testbed.namespace import NetworkNamespace

FLOWS = 256
STEERED_SOURCE = str(plan.CLIENT.address.ip)
ROUTED_SOURCE = "10.9.0.10"  # no NF group looks at it

BURST = 16

_SETTLE_S = 0.05
_BACKGROUND_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of traffic, from the client's port."""

    name: str
    frame_bytes: int
    source: str
    out_port: int


CASES = tuple(
    Case(name=name, frame_bytes=size, source=source, out_port=port)
    for size in (64, 512, 1500)
    for name, source, port in (
        ("steered", STEERED_SOURCE, plan.NF1.port),
        ("routed", ROUTED_SOURCE, plan.SERVER.port),
    )
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What happened to the packets of one run."""

    seconds: float
    sent: int
    arrived_in_time: int
    """Those that had come out when the last one was sent."""
    arrived: int
    """Those that came out at all."""
    latency_p50_us: float | None = None
    latency_p99_us: float | None = None
    """Of a part of the packets; none where none of them arrived."""

    @property
    def sent_pps(self) -> float:
        """The rate that was offered."""
        return self.sent / self.seconds


class Ground:
    """Namespaces and links; whatever forwards runs in `switch`."""

    def __init__(self, programs: Programs) -> None:
        """Makes them. Raises OSError."""
        self._programs = programs
        self.switch = NetworkNamespace("switch")
        self._outside = NetworkNamespace("outside")
        for namespace in (self.switch, self._outside):
            silence(namespace)
            bring_up_loopback(namespace)  # simple_switch_grpc has its Thrift server there
        for port, interface in plan.PORTS.items():
            connect(
                LinkEnd(namespace=self.switch, interface=interface),
                LinkEnd(namespace=self._outside, interface=f"out{port}"),
            )

    def close(self) -> None:
        """Lets go of the namespaces."""
        self.switch.close()
        self._outside.close()

    @contextmanager
    def bare_loop(self, out_port: int) -> Generator[None]:
        """Forwards from the client's port to `out_port` in the simplest way there is."""
        command = [
            str(self._programs.forwarder),
            plan.PORTS[plan.CLIENT.port],
            plan.PORTS[out_port],
        ]
        with self.switch.entered():
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise BenchError("the bare loop does not start")
            yield
        finally:
            process.kill()
            process.wait()

    def run(self, case: Case, rate_pps: float, seconds: float, *, burst: int = BURST) -> Sample:
        """Offers packets at a rate and counts what comes out. Raises BenchError."""
        before = self._settled(case.out_port)
        with self._outside.entered():
            process = subprocess.Popen(
                self._traffic(case, rate_pps, seconds, FLOWS, burst),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        with process:
            if process.stdout is None or process.stderr is None:
                raise BenchError("the traffic has no output")
            sent = process.stdout.read(1)  # nothing comes before the last packet is sent
            in_time = self.received(case.out_port)
            words = (sent + process.stdout.read()).split()
            error = process.stderr.read().strip()
        if process.returncode != 0:
            raise BenchError(error)
        p50, p99 = (None if word == "-" else float(word) for word in words[1:])
        return Sample(
            seconds=seconds,
            sent=int(words[0]),
            arrived_in_time=in_time - before,
            arrived=self._settled(case.out_port) - before,
            latency_p50_us=p50,
            latency_p99_us=p99,
        )

    @contextmanager
    def background(self, case: Case, rate_pps: float, flows: int) -> Generator[None]:
        """Offers packets of so many flows meanwhile, for at most a minute."""
        with self._outside.entered():
            process = subprocess.Popen(
                self._traffic(case, rate_pps, _BACKGROUND_S, flows, BURST),
                stdout=subprocess.DEVNULL,
            )
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def _traffic(
        self, case: Case, rate_pps: float, seconds: float, flows: int, burst: int
    ) -> list[str]:
        return [
            str(self._programs.traffic),
            *(f"out{plan.CLIENT.port}", f"out{case.out_port}"),
            *(str(case.frame_bytes), str(rate_pps), str(seconds), str(flows), str(burst)),
            *(plan.CLIENT.mac, plan.GATEWAY_MAC),
            *(case.source, str(plan.SERVER.address.ip)),
        ]

    def _settled(self, port: int) -> int:
        """Packets that have come out of a port when no more do."""
        last = -1
        while (now := self.received(port)) != last:
            last = now
            time.sleep(_SETTLE_S)
        return now

    def received(self, port: int) -> int:
        """Packets that have come out of a port so far."""
        with self._outside.entered():
            lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
        for line in lines:
            name, _, counters = line.partition(":")
            if name.strip() == f"out{port}":
                return int(counters.split()[1])
        raise BenchError(f"no interface out{port}")
