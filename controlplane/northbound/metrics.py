"""What Prometheus is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controlplane.migration.engine import Engine


class EngineCollector(Collector):
    """Reads the engine when it is asked; nothing is counted twice."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """The engine's gauges and counters, and those of its moves."""
        engine = self._engine()
        status = engine.status()
        yield GaugeMetricFamily(
            "uhaul_flow_rules", "Flow rules in the switch", value=status.flow_rules
        )
        yield GaugeMetricFamily(
            "uhaul_flows_under_way", "Flows that are being moved", value=status.flows_under_way
        )
        yield GaugeMetricFamily(
            "uhaul_buffered_packets", "Held packets", value=status.buffered_packets
        )
        yield GaugeMetricFamily(
            "uhaul_buffered_bytes", "Bytes of held packets", value=status.buffered_bytes
        )
        yield CounterMetricFamily(
            "uhaul_unknown_packets", "Held packets of no move", value=status.unknown_packets
        )
        yield CounterMetricFamily(
            "uhaul_bounced_packets",
            "Packets that the owner of their bucket refused",
            value=status.bounced_packets,
        )
        yield CounterMetricFamily(
            "uhaul_lost_packet_outs",
            "Packets the switch did not take",
            value=status.lost_packet_outs,
        )
        yield CounterMetricFamily(
            "uhaul_lost_packet_ins",
            "Packets lost on the way from the switch",
            value=status.lost_packet_ins,
        )
        yield CounterMetricFamily(
            "uhaul_expired_rules", "Rules deleted because idle", value=status.expired_rules
        )
        yield from self._moves(engine)

    def _moves(self, engine: Engine) -> Iterator[Metric]:
        moves: Counter[tuple[str, str]] = Counter()
        flows: Counter[tuple[str, str]] = Counter()
        for move in engine.moves:
            kind = move.options.kind.value
            moves[kind, move.state.value] += 1
            for outcome, count in move.outcomes().items():
                flows[kind, outcome.value] += count
        family = GaugeMetricFamily("uhaul_moves", "Moves", labels=("kind", "state"))
        for labels, count in moves.items():
            family.add_metric(labels, count)
        yield family
        family = GaugeMetricFamily("uhaul_flows", "Flows of moves", labels=("kind", "outcome"))
        for labels, count in flows.items():
            family.add_metric(labels, count)
        yield family
