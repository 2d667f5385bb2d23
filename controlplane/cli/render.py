"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from controlplane.migration.report import DrainReport, MoveReport, MoveState, Percentiles
from controlplane.northbound.models import (
    ElephantsView,
    FlowsView,
    FlowView,
    InstanceView,
    StatusView,
)
from controlplane.p4_constants import BUCKETS

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_PHASES = (
    *("announce", "hold", "marker", "get", "put", "release", "steer", "admit", "delete"),
    "held",
)


def size(value: float) -> str:
    """Bytes for people: `1.5 MiB`."""
    unit = 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def milliseconds(value: float | None) -> str:
    """`12.3 ms`, or a dash."""
    return "–" if value is None else f"{value:.1f} ms"


def new_table(title: str, *columns: str) -> Table:
    """The first column is text; further ones with a leading `>` are numbers."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        number = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if number else "left")
    return table


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _mode(instance: InstanceView) -> Text:
    if not instance.up:
        return Text("down", style="red")
    if instance.buckets_closed and not instance.buckets_owned:
        return Text("no new flows", style="yellow")
    return Text("up", style="green")


def status(view: StatusView) -> RenderableType:
    """`controlplane status`."""
    instances = new_table(
        "instances",
        "name",
        "state",
        "function",
        "group",
        ">buckets",
        ">draining",
        ">flows",
        ">packets",
        ">bounced",
        ">dropped",
    )
    for one in view.instances:
        instances.add_row(
            one.name,
            _mode(one),
            one.function or "–",
            one.group,
            str(one.buckets_owned),
            str(one.buckets_drained),
            _number(one.flows),
            _number(one.packets),
            _number(one.bounced),
            _number(one.dropped),
        )
    engine = view.engine
    line = (
        f"switch {view.switch.name} at {view.switch.p4runtime}   "
        f"{engine.flow_rules:,} flow rules   {engine.flows_under_way:,} flows under way   "
        f"buffer {engine.buffered_packets:,} packets, {size(engine.buffered_bytes)} "
        f"of {size(engine.max_bytes)}"
    )
    parts: list[RenderableType] = [Text(line), Text(), instances]
    if view.moves:
        parts += [Text(), moves(view.moves)]
    return Group(*parts)


def moves(reports: tuple[MoveReport, ...]) -> RenderableType:
    """`controlplane moves`."""
    table = new_table(
        "moves",
        "id",
        "kind",
        "from → to",
        "guarantee",
        "state",
        ">selected",
        ">moved",
        ">rolled back",
        ">downtime",
        ">mice left",
        "reason",
    )
    for report in reports:
        table.add_row(
            report.id,
            report.kind.value,
            f"{report.source} → {report.destination}",
            report.guarantee.value,
            report.state.value,
            _number(report.flows.selected),
            _number(report.flows.moved),
            _number(report.flows.rolled_back),
            milliseconds(report.downtime_ms),
            _mice(report.drain),
            report.reason,
        )
    return table


def _drain(drain: DrainReport) -> str:
    left = f"{_number(drain.left)} flows left at {drain.instance}"
    if drain.left is None and not drain.superseded:
        return f"{drain.instance} has not said yet how many flows are left there"
    if drain.superseded:
        return f"{left}, when another move turned the buckets"
    if drain.drained_ms is not None:
        return f"{left}, drained after {milliseconds(drain.drained_ms)}"
    return left


def _mice(drain: DrainReport | None) -> str:
    if drain is None:
        return "–"
    return "another move's" if drain.superseded else _number(drain.left)


def _flow_rows(table: Table, flows: tuple[FlowView, ...]) -> None:
    for flow in flows:
        table.add_row(
            flow.flow,
            flow.instance or "–",
            size(flow.bytes),
            f"{flow.idle_ms:.1f} ms",
            "ended" if flow.ended else "",
        )


def flows(view: FlowsView) -> RenderableType:
    """`controlplane flows`."""
    table = new_table(f"{len(view.flows):,} active flows", "flow", "at", ">bytes", ">idle", "")
    _flow_rows(table, view.flows)
    return Group(table, *_overflow(view.overflow))


def elephants(view: ElephantsView) -> RenderableType:
    """`controlplane elephants`."""
    total = sum(flow.bytes for flow in view.flows)
    share = 100 * total / view.live_bytes if view.live_bytes else 0.0
    table = new_table(
        f"{len(view.flows):,} elephants of {view.live_flows:,} live flows",
        "flow",
        "at",
        ">bytes",
        ">idle",
        "",
    )
    _flow_rows(table, view.flows)
    cpu_ms = view.nf_cpu_ms
    of_the_nf = "" if cpu_ms is None else f" ({cpu_ms:.2f} ms of it the NF's processor)"
    note = (
        f"{size(total)} of {size(view.live_bytes)} ({share:.0f} %), {view.elephants.described()}; "
        f"{view.active_flows:,} active flows read in {view.read_ms:.1f} ms{of_the_nf}, "
        f"chosen among in {view.choose_ms:.1f} ms"
    )
    return Group(table, Text(note), *_overflow(view.overflow))


def _overflow(packets: int) -> list[RenderableType]:
    """A warning where the flow information table was too small."""
    if not packets:
        return []
    note = f"{packets:,} packets found no room in the flow information table"
    return [Text(note, style="yellow")]


def report(view: MoveReport) -> RenderableType:
    """What a move has done."""
    style = {MoveState.FAILED: "red", MoveState.CANCELLED: "yellow"}.get(view.state, "green")
    heading = Text(f"{view.id} {view.kind} {view.source} → {view.destination}: ")
    heading.append(view.state.value, style=style)
    counts = view.flows
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "flows",
        f"{counts.moved:,} of {counts.selected:,} moved, {counts.rolled_back:,} rolled back, "
        f"{counts.absent:,} without state, {counts.stranded:,} stranded",
    )
    if view.buckets < BUCKETS:
        facts.add_row("buckets", f"{view.buckets:,} of {BUCKETS:,}: only flows of these")
    if view.elephants is not None:
        facts.add_row("elephants", view.elephants.described())
    facts.add_row("downtime", milliseconds(view.downtime_ms))
    buffer = view.buffer
    facts.add_row(
        "buffer",
        f"{buffer.packets:,} packets, {size(buffer.bytes)}; "
        f"peak {buffer.peak_packets:,}, {size(buffer.peak_bytes)}; late {buffer.late_packets:,}",
    )
    for lost, where in (
        (buffer.lost_packets, "between the switch and the controller"),
        (view.ports.source_lost, f"by {view.source}, which could not read them in time"),
        (view.ports.destination_lost, f"by {view.destination}, which could not read them in time"),
    ):
        if lost:
            facts.add_row("lost", Text(f"{lost:,} packets {where}", style="red"))
    control = view.control
    facts.add_row(
        "control",
        f"{control.writes:,} writes of {control.updates:,} updates, "
        f"{control.packet_outs:,} packets out, {control.southbound_calls:,} southbound calls",
    )
    if view.drain is not None:
        facts.add_row("drain", _drain(view.drain))
    if view.stragglers is not None:
        facts.add_row("stragglers", f"moved by {view.stragglers}")
    phases = new_table("per flow, in ms", "phase", ">flows", ">p50", ">p90", ">p99", ">max")
    for name in _PHASES:
        values: Percentiles | None = getattr(view.flow_phases_ms, name)
        if values is not None:
            phases.add_row(
                name,
                f"{values.count:,}",
                *(f"{value:.2f}" for value in (values.p50, values.p90, values.p99, values.max)),
            )
    return Group(heading, facts, *([phases] if phases.row_count else []))
