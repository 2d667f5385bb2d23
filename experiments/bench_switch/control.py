"""What the control plane of a switch does in a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from finsy.proto import p4r

from controlplane import p4_constants
from experiments.bench_switch.client import Client, Ids
from experiments.bench_switch.ground import FLOWS, STEERED_SOURCE, Case, Ground
from experiments.bench_switch.native import BenchError
from experiments.spread import Spread
from testbed import plan
from testbed.bed import P4INFO

BATCH = 1000
PACKET_OUTS = 4000

_HELD = Case(name="held", frame_bytes=128, source=STEERED_SOURCE, out_port=plan.NF1.port)
_FIRST_SOURCE_PORT, _DESTINATION_PORT = 10_000, 9  # of the flows of native/traffic.c
_UDP = 17
_PACKET_IN_OFFER_PPS = 60_000.0
_PACKET_IN_S = 0.5
_DEADLINE_S = 20.0


def measure_batches(client: Client, rounds: int) -> dict[str, Spread]:
    """Entries per second in batches of 1,000: inserted, modified, deleted."""
    entries = [flow_rule(index, "to_instance", plan.NF1.number) for index in range(BATCH)]
    others = [flow_rule(index, "to_instance", plan.NF2.number) for index in range(BATCH)]
    batches = {
        "insert": client.batch(p4r.Update.INSERT, entries),
        "modify": client.batch(p4r.Update.MODIFY, others),
        "delete": client.batch(p4r.Update.DELETE, others),
    }
    rates: dict[str, list[float]] = {name: [] for name in batches}
    for _ in range(rounds + 1):
        for name, request in batches.items():
            rates[name].append(BATCH / _seconds(lambda request=request: client.write(request)))
    return {name: Spread.of(values[1:]) for name, values in rates.items()}  # the first warms up


def measure_packet_out(client: Client, ground: Ground, rounds: int) -> Spread:
    """Packets per second from the controller out of a port."""
    message = p4r.PacketOut(
        payload=bytes(128),
        metadata=_metadata(p4_constants.PACKET_OUT_PORT, 0, plan.SERVER.port, 0, 0),
    )
    rates: list[float] = []
    for _ in range(rounds):
        goal = ground.received(plan.SERVER.port) + PACKET_OUTS

        def send_all(goal: int = goal) -> None:
            for _ in range(PACKET_OUTS):
                client.send(message)
            _wait_until(lambda: ground.received(plan.SERVER.port) >= goal, "packet_outs are lost")

        rates.append(PACKET_OUTS / _seconds(send_all))
    return Spread.of(rates)


def measure_packet_in(client: Client, ground: Ground, rounds: int) -> Spread:
    """Packets per second to the controller, of more than it can take."""
    rules = [flow_rule(flow, "hold", flow) for flow in range(FLOWS)]
    client.write(client.batch(p4r.Update.INSERT, rules))
    rates: list[float] = []
    for _ in range(rounds):
        client.packet_in_times_s.clear()
        ground.run(_HELD, _PACKET_IN_OFFER_PPS, _PACKET_IN_S)
        _settle(lambda: len(client.packet_in_times_s))
        times_s = client.packet_in_times_s
        if len(times_s) < 2:
            raise BenchError("held packets do not reach the controller")
        rates.append((len(times_s) - 1) / (times_s[-1] - times_s[0]))
    client.write(client.batch(p4r.Update.DELETE, rules))
    return Spread.of(rates)


def flow_rule(flow: int, action: str, argument: int) -> p4r.TableEntry:
    """A rule for a flow of the traffic."""
    low, high = sorted((plan.CLIENT.address.ip, plan.SERVER.address.ip))
    ports = _FIRST_SOURCE_PORT + flow, _DESTINATION_PORT
    key = int(low), int(high), *ports, _UDP
    return p4r.TableEntry(
        table_id=_IDS.table("flow_rules"),
        match=[
            p4r.FieldMatch(field_id=number, exact=p4r.FieldMatch.Exact(value=_bitstring(value)))
            for number, value in enumerate(key, 1)
        ],
        action=p4r.TableAction(
            action=p4r.Action(
                action_id=_IDS.action(action),
                params=[p4r.Action.Param(param_id=1, value=_bitstring(argument))],
            )
        ),
    )


_IDS = Ids(P4INFO)


def _metadata(*values: int) -> Sequence[p4r.PacketMetadata]:
    return [
        p4r.PacketMetadata(metadata_id=number, value=_bitstring(value))
        for number, value in enumerate(values, 1)
    ]


def _bitstring(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _seconds(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s


def _wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline_s = time.perf_counter() + _DEADLINE_S
    while not condition():
        if time.perf_counter() > deadline_s:
            raise BenchError(otherwise)
        time.sleep(0.0005)


def _settle(count: Callable[[], int]) -> None:
    last = -1
    while (now := count()) != last:
        last = now
        time.sleep(0.1)
