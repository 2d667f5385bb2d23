"""What the northbound API takes and gives, as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from controlplane.detection.choice import Choice
from controlplane.migration.events import Event
from controlplane.migration.options import Guarantee, KeepAt, Kind, MoveOptions, Scope
from controlplane.migration.report import MoveReport
from controlplane.migration.strategy import STRATEGIES


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventView(_Frozen):
    """Something that has happened; a line of `/v1/events`. What does not apply is left out."""

    number: int
    """Counts the events of this controller."""
    at: float
    """Wall clock, in seconds."""
    move: str
    flow: str | None = None
    phase: str | None = None
    """That the flow has come to."""
    state: str | None = None
    """That the move has come to."""
    left: int | None = None
    """Live flows at the instance that is being drained."""
    reason: str | None = None
    missed: int | None = None
    """Events before this one that were forgotten before they could be told."""

    @classmethod
    def of(cls, event: Event, missed: int = 0) -> Self:
        """What is told of an event."""
        return cls(
            number=event.number,
            at=round(event.at, 6),
            move=event.move,
            flow=None if event.flow is None else str(event.flow),
            phase=event.phase or None,
            state=event.state or None,
            left=event.left,
            reason=event.reason or None,
            missed=missed or None,
        )


class MoveRequest(Choice):
    """A move that is asked for; what tells the elephants is for move-elephant."""

    kind: Kind
    source: str
    destination: str
    scope: Scope = Scope.PER_FLOW
    guarantee: Guarantee = Guarantee.LOSS_FREE
    keep_at: KeepAt | None = None
    """None: where the strategy keeps them."""
    parallelize: bool = True
    early_release: bool | None = None
    """None: as the strategy does."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of the source's hash buckets; None: whatever the source has to do with."""
    stragglers_after_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """When what is left is moved as well, if it would outlive that; None: never."""

    def options(self) -> MoveOptions:
        """The same for the engine."""
        strategy = STRATEGIES[self.kind]
        asked: dict[str, Any] = {
            "keep_at": strategy.keep_at,
            "early_release": strategy.early_release,
            **self.model_dump(exclude=set(Choice.model_fields), exclude_none=True),
        }
        return MoveOptions(
            **asked,
            elephants=Choice(**self.model_dump(include=set(Choice.model_fields))),
        )


class SwitchView(_Frozen):
    """The switch."""

    name: str
    device_id: int
    p4runtime: str
    """Address of its P4Runtime server."""


class InstanceView(_Frozen):
    """An instance, as it says itself. Counters are since its start."""

    name: str
    id: int
    group: str
    """Empty where it belongs to none."""
    up: bool
    reason: str = ""
    """Why it is not up."""
    function: str | None = None
    state_version: int | None = None
    buckets_closed: int | None = None
    """Buckets that it takes no new flow of."""
    buckets_owned: int
    buckets_drained: int
    """Buckets that it has been turned away from, but still has flows of."""
    flows: int | None = None
    """Flows it holds state for."""
    packets: int | None = None
    bytes: int | None = None
    returned: int | None = None
    bounced: int | None = None
    dropped: int | None = None
    cpu_seconds: float | None = None


class EngineView(_Frozen):
    """The migration engine."""

    flow_rules: int
    flows_under_way: int
    buffered_packets: int
    buffered_bytes: int
    max_packets: int
    max_bytes: int
    unknown_packets: int
    bounced_packets: int
    lost_packet_outs: int
    lost_packet_ins: int
    lost_barriers: int
    expired_rules: int


class StatusView(_Frozen):
    """The controller at a glance."""

    pid: int
    uptime_s: float
    switch: SwitchView
    instances: tuple[InstanceView, ...]
    engine: EngineView
    moves: tuple[MoveReport, ...]
    """Moves that are under way or drain."""


class FlowView(_Frozen):
    """A flow of the flow information table."""

    flow: str
    instance: str | None
    """Where it was steered last; None where it never was: it was held from its first packet on,
    or its bucket has no owner."""
    bytes: int
    idle_ms: float
    """Since its last packet."""
    ended: bool


class FlowsView(_Frozen):
    """The active flows, largest first."""

    flows: tuple[FlowView, ...]
    overflow: int
    """Packets whose flow found no free slot, since the switch started."""


class ElephantsRequest(Choice):
    """Elephants that are asked for."""

    instance: str | None = None
    """Only flows of this instance."""

    def choice(self) -> Choice:
        """How they are to be told."""
        return Choice(**self.model_dump(exclude={"instance"}))


class ElephantsView(_Frozen):
    """The elephants among the live flows."""

    elephants: Choice
    """How they were told."""
    instance: str | None
    """Only flows of this instance."""
    flows: tuple[FlowView, ...]
    active_flows: int
    """Flows seen within the activity window, ended ones included."""
    live_flows: int
    """Those that have not ended, among which was chosen."""
    live_bytes: int
    """Their bytes."""
    overflow: int
    """Packets whose flow found no free slot, since the switch started."""
    read_ms: float
    """Time to read the registers, or to ask the instances."""
    nf_cpu_ms: float | None = None
    """Time of the instances' processors that it took, where they count the bytes."""
    choose_ms: float
    """Time to choose among the flows."""


class PopulationRequest(_Frozen):
    """Flows that are asked for, to plan a move of them."""

    instance: str | None = None
    """Only flows of this instance."""
    distribution: str | None = Field(default=None, min_length=1)
    """Of flow sizes: a built-in one, `learnt`, or a file of the controller's; else as
    configured."""


class DistributionView(_Frozen):
    """A distribution of flow sizes, linear between its points."""

    name: str
    published: bool
    points: tuple[tuple[float, float], ...]
    """(bytes, cumulative share of flows)."""


class PastMove(_Frozen):
    """A move that was made, by what it cost."""

    flows: int
    downtime_ms: float


class PopulationView(_Frozen):
    """The active flows as planning needs them: one value a flow in each field."""

    instance: str | None
    """Only flows of this instance."""
    bytes: tuple[int, ...]
    """That the flow has sent."""
    bytes_per_s: tuple[float, ...]
    ended: tuple[bool, ...]
    window_ms: float
    """Flows seen for so long count as active."""
    overflow: int
    """Packets whose flow found no free slot, since the switch started."""
    distribution: DistributionView
    moves: tuple[PastMove, ...]
    """The moves of this controller that all went well."""


class Problem(_Frozen):
    """What is wrong, after RFC 9457."""

    title: str
    status: int
    detail: str
    """One line."""
