"""An executable model of a switch and two network functions, for the real engine to run on.

Queues where the real thing has queues, each in order and each with a delay of its own,
drawn from a seeded generator. A packet is (flow, sequence number); the state of a flow
is the list of the packets that were processed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from instance_model import Delays, ModelInstance, frame_of, packet_of, straight

from controlplane.detection.choice import Choice, DetectionError, Settings
from controlplane.detection.registry import Rule, make_rule
from controlplane.migration.errors import MoveError
from controlplane.migration.peers import (
    Bucket,
    FlowRule,
    HoldRule,
    Member,
    RuledPackets,
    RuleUpdate,
    Selection,
    UpdateOutcome,
    WriteResult,
)
from controlplane.p4_constants import (
    BUCKETS,
    CPU_PORT,
    PACKET_IN_BARRIER,
    PACKET_IN_BOUNCE,
    PACKET_IN_HOLD,
    PACKET_OUT_BARRIER,
    PACKET_OUT_MARKER,
)
from controlplane.sizes.distribution import SizesError
from controlplane.sizes.files import find_distribution
from controlplane.switch.entries import Operation
from controlplane.switch.packets import PacketIn, PacketOut
from nf.southbound.flow import FiveTuple
from nf.southbound.inband import detoured

GROUP = 1

_RESTLESS_TURNS = 100
_REST_S = 0.0005


class ModelSwitch:
    """The pipeline of p4src: one thread, queues on all sides."""

    def __init__(self, instances: Sequence[ModelInstance], delays: Delays) -> None:
        self.instances = {instance.id: instance for instance in instances}
        owner = instances[0].id
        self.rules: dict[FiveTuple, FlowRule] = {}
        self.buckets = {number: Bucket(owner) for number in range(BUCKETS)}
        self.seen: set[tuple[FiveTuple, int]] = set()
        self.bounces: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        for instance in instances:
            instance.bounces = self.bounces  # one queue, in the order they were handed back
        self.hosts: asyncio.Queue[bytes] = asyncio.Queue()
        self.rests = False
        """Whether it takes a rest when nothing comes: other threads get nowhere beside a loop
        that never does. Packets meet more often then."""
        self.refuse: set[FiveTuple] = set()
        """Flows whose rules are refused."""
        self.unanswered: set[FiveTuple] = set()
        """Flows whose updates are applied, but not answered."""
        self.writes: list[Sequence[RuleUpdate]] = []
        self.held = 0
        self.ruled_of: dict[FiveTuple, int] = defaultdict(int)
        """Of each flow, since it has a rule."""
        self._delays = delays
        self._from_controller: asyncio.Queue[PacketOut] = asyncio.Queue()
        self._to_controller: asyncio.Queue[PacketIn] = asyncio.Queue()
        self._idle: asyncio.Queue[FiveTuple] = asyncio.Queue()
        self._has_controller = True
        self.loses_barriers = False
        self.refused_packet_outs = 0
        self.loses_every = 0
        """Of the packets that are held, one in so many does not get to the controller."""
        self.lost = 0
        """Packets that did not."""
        self._gap = 0

    async def run(self) -> None:
        """The pipeline: takes a packet from any of its inputs at random."""
        idle_turns = 0
        while True:
            rests = self.rests and idle_turns >= _RESTLESS_TURNS
            await asyncio.sleep(_REST_S if rests else 0)
            idle_turns += 1
            inputs = [
                (queue, handle)
                for queue, handle in (
                    (self.hosts, self._from_host),
                    (self.bounces, self._bounced),
                    (self._from_controller, self._packet_out),
                )
                if not queue.empty()
            ]
            if inputs:
                idle_turns = 0
                queue, handle = self._delays.random.choice(inputs)
                handle(queue.get_nowait())  # pyright: ignore[reportArgumentType]

    def lose_controller(self) -> None:
        """The controller is gone, with what was on its way to it."""
        self._has_controller = False
        while not self._to_controller.empty():
            self._to_controller.get_nowait()

    def find_controller(self) -> None:
        """There is another one."""
        self._has_controller = True

    def start_anew(self, buckets: Mapping[int, Bucket]) -> None:
        """It has forgotten everything, and is told the buckets."""
        self.rules.clear()
        self.seen.clear()
        self.ruled_of.clear()
        self.buckets.update(buckets)

    def hand_up(self, migration: int, frame: bytes) -> None:
        """A packet comes to the controller as if a rule had held it."""
        self._to_controller.put_nowait(PacketIn(PACKET_IN_HOLD, 0, 1, migration, frame))

    def idle(self) -> bool:
        """Whether no packet is under way in the data plane."""
        return (
            self.hosts.empty()
            and self.bounces.empty()
            and self._from_controller.empty()
            and self._to_controller.empty()
            and all(instance.port.empty() for instance in self.instances.values())
        )

    def _from_host(self, frame: bytes) -> None:
        flow, _ = packet_of(frame)
        rule = self.rules.get(flow)
        if rule is not None:
            self.ruled_of[flow] += 1
        if isinstance(rule, HoldRule):
            self.held += 1
            if self._has_controller:
                self._hold(rule.migration, frame)
            return
        instance = rule.instance if rule is not None else self._of_bucket(flow)
        self.seen.add((flow, instance))
        self.instances[instance].port.put_nowait(frame)

    def _of_bucket(self, flow: FiveTuple) -> int:
        bucket = self.buckets[flow.bucket]
        if bucket.previous and (flow, bucket.previous) in self.seen:
            return bucket.previous
        return bucket.owner

    def _hold(self, migration: int, frame: bytes) -> None:
        if self.loses_every and self.held % self.loses_every == 0:
            self.lost += 1
            self._gap += 1
            return
        packet = PacketIn(PACKET_IN_HOLD, 0, 1, migration, frame, lost_before=self._gap)
        self._gap = 0
        self._to_controller.put_nowait(packet)

    def _bounced(self, bounce: tuple[int, bytes]) -> None:
        sender, frame = bounce
        flow, _ = packet_of(frame)
        bucket = self.buckets[flow.bucket]
        instance = bucket.owner
        if sender not in (bucket.owner, bucket.previous):
            instance = self._of_bucket(flow)
        if instance == sender:
            self._to_controller.put_nowait(PacketIn(PACKET_IN_BOUNCE, sender, 1, 0, frame))
        else:
            self.seen.add((flow, instance))
            onward = detoured if instance == bucket.owner else straight
            self.instances[instance].port.put_nowait(onward(frame))

    def _packet_out(self, packet: PacketOut) -> None:
        if packet.kind == PACKET_OUT_BARRIER and self.loses_barriers:
            return
        if packet.kind == PACKET_OUT_BARRIER:
            self._to_controller.put_nowait(
                PacketIn(
                    PACKET_IN_BARRIER,
                    0,
                    CPU_PORT,
                    packet.migration,
                    packet.payload,
                    lost_before=self._gap,
                )
            )
            self._gap = 0
            return
        instance = self.instances[packet.instance]
        if packet.kind != PACKET_OUT_MARKER:
            flow, sequence = packet_of(packet.payload)
            instance.via_controller[flow].append(sequence)
        instance.port.put_nowait(packet.payload)

    # --- what the engine sees ---------------------------------------------------------

    async def write_rules(self, updates: Sequence[RuleUpdate]) -> Sequence[UpdateOutcome]:
        flows = [update.flow for update in updates]
        assert len(set(flows)) == len(flows), "two updates of a flow in one Write"
        self.writes.append(updates)
        outcomes: list[UpdateOutcome] = []
        for update in updates:
            await self._delays.some()
            outcomes.append(self._update(update))
        await self._delays.some()
        return outcomes

    def _update(self, update: RuleUpdate) -> UpdateOutcome:
        exists = update.flow in self.rules
        if update.flow in self.refuse:
            return UpdateOutcome(WriteResult.REFUSED, "table full")
        if update.operation is Operation.INSERT and exists:
            return UpdateOutcome(WriteResult.EXISTS, "exists")
        if update.operation is not Operation.INSERT and not exists:
            return UpdateOutcome(WriteResult.MISSING, "missing")
        if update.rule is None:
            del self.rules[update.flow]
            self.ruled_of.pop(update.flow, None)
        else:
            self.rules[update.flow] = update.rule
        if update.flow in self.unanswered:
            return UpdateOutcome(WriteResult.UNANSWERED, "no answer")
        return UpdateOutcome(WriteResult.WRITTEN)

    async def read_rules(self) -> Mapping[FiveTuple, FlowRule]:
        return dict(self.rules)

    async def count_ruled(self) -> Mapping[FiveTuple, RuledPackets]:
        return {
            flow: RuledPackets(self.ruled_of[flow], isinstance(rule, HoldRule))
            for flow, rule in self.rules.items()
        }

    async def write_buckets(self, group: int, buckets: Mapping[int, Bucket]) -> None:
        if group != GROUP:
            raise MoveError(f"no group {group}")
        await self._delays.some()
        self.buckets.update(buckets)
        await self._delays.some()

    async def read_buckets(self, group: int) -> Mapping[int, Bucket]:
        found = dict(self.buckets)
        await self._delays.some()
        return found

    async def send(self, packets: Sequence[PacketOut]) -> None:
        for packet in packets:
            await self._delays.some()
            self._from_controller.put_nowait(packet)

    async def packet_ins(self) -> AsyncIterator[PacketIn]:
        while True:
            packet = await self._to_controller.get()
            await self._delays.some()
            yield packet

    async def idle_rules(self) -> AsyncIterator[FiveTuple]:
        while True:
            yield await self._idle.get()

    def report_idle(self, flow: FiveTuple) -> None:
        """Tells the controller that a rule has been idle."""
        self._idle.put_nowait(flow)


class ModelDetector:
    """Selects what it is told to."""

    def __init__(self, flows: Sequence[FiveTuple] = ()) -> None:
        self.flows = tuple(flows)

    async def rule(self, choice: Choice) -> Rule:
        try:
            return make_rule(choice, Settings(), find_distribution, 0.1)
        except (DetectionError, SizesError) as error:
            raise MoveError(str(error)) from None

    async def select(self, instance: int, rule: Rule) -> Selection:
        return Selection(self.flows, len(self.flows))


class Model:
    """A switch, nf1 (owner of all buckets), nf2 and further instances, and hosts that send."""

    def __init__(self, seed: int, *, longest_delay: int = 4, instances: int = 2) -> None:
        self.delays = Delays(seed, longest_delay)
        self.instances = [
            ModelInstance(f"nf{number}", number, self.delays) for number in range(1, instances + 1)
        ]
        self.nf1, self.nf2 = self.instances[:2]
        self.switch = ModelSwitch(self.instances, self.delays)
        self.members = {
            instance.name: Member(instance.id, instance.name, GROUP, "monitors", instance)
            for instance in self.instances
        }
        self.sent: dict[FiveTuple, int] = defaultdict(int)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Model:
        self._tasks = [
            asyncio.create_task(work)
            for work in (self.switch.run(), *(nf.run() for nf in self.instances))
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def send(self, flow: FiveTuple) -> None:
        """A host sends the flow's next packet."""
        self.switch.hosts.put_nowait(frame_of(flow, self.sent[flow]))
        self.sent[flow] += 1

    async def load(self, flows: Sequence[FiveTuple], packets: int) -> None:
        """Hosts send packets of flows at random, at a pace of their own."""
        for _ in range(packets):
            self.send(self.delays.random.choice(flows))
            await self.delays.some()

    async def quiet(self) -> None:
        """Waits until no packet is under way."""
        calm = 0
        while calm < 50:
            calm = calm + 1 if self.switch.idle() else 0
            await asyncio.sleep(0)

    def holder(self, flow: FiveTuple) -> ModelInstance | None:
        """The one instance that has the flow's state; fails if several have."""
        holders = [nf for nf in self.instances if flow in nf.flows]
        assert len(holders) <= 1, f"{flow} has state in several places"
        return holders[0] if holders else None

    def check(self, *, ordered_via_controller: bool = True) -> None:
        """Every packet sent was processed exactly once, and each state is in one place."""
        for flow, count in self.sent.items():
            holder = self.holder(flow)
            assert holder is not None, f"the state of {flow} is lost"
            processed = holder.flows[flow]
            assert sorted(processed) == list(range(count)), f"{flow}: {processed} of {count}"
            if ordered_via_controller:
                for nf in self.instances:
                    released = nf.via_controller[flow]
                    assert released == sorted(released), f"{flow}: released {released}"
