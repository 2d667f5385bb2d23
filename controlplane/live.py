"""The running controller, as the northbound API asks it."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from statistics import median

from controlplane.config import Config, InstanceConfig
from controlplane.detection.choice import Choice, DetectionError
from controlplane.detection.filter_api import ElephantDetector
from controlplane.detection.flows import FlowTable
from controlplane.detection.learner import Learner
from controlplane.detection.monitor import Counters, FlowMonitor
from controlplane.detection.nf_monitor import NfMonitor
from controlplane.detection.recorder import FlowRecorder
from controlplane.detection.registry import Rule
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.memory import Memory
from controlplane.migration.options import Kind
from controlplane.migration.peers import Member, Selection, Switch
from controlplane.migration.record import Outcome
from controlplane.migration.report import UNDER_WAY
from controlplane.northbound.controller import ControllerError
from controlplane.northbound.models import (
    DistributionView,
    ElephantsView,
    EngineView,
    FlowsView,
    FlowView,
    InstanceView,
    PastMove,
    PopulationView,
    StatusView,
    SwitchView,
)
from controlplane.registers.reader import RegisterReader
from controlplane.switch.errors import SwitchError
from nf.southbound.client import InstanceClient, SouthboundError

_INSTANCE_TIMEOUT_S = 1.0
_REMEMBERED_MOVES = 20


class LiveController:
    """One switch, its instances and the engine that moves flows between them."""

    def __init__(
        self,
        config: Config,
        switch: Switch,
        counters: Counters,
        reader: RegisterReader,
        members: Mapping[str, Member],
        clients: Mapping[str, InstanceClient],
        memory: Memory,
        *,
        switch_is_new: bool,
    ) -> None:
        """Nothing is asked yet. `clients` are the instances of the configuration, by name.

        `memory` and `switch_is_new` are for the engine.
        """
        self._config = config
        self._switch = switch
        self._clients = clients
        self._started_s = time.monotonic()
        self._members = members
        window_us = config.timers.activity_window_ms * 1000
        self._monitor = FlowMonitor(reader, counters, window_us)
        recorder = FlowRecorder(window_us)
        self._detector = ElephantDetector(
            self._monitor,
            config.detection,
            counting_nfs=NfMonitor(
                {instance.id: clients[instance.name] for instance in config.instances}, window_us
            ),
            recorder=recorder,
            move_s=self._move_s,
        )
        self._learner = Learner(
            self._monitor, recorder, config.detection.learn_every_s, self._is_busy
        )
        self.engine = Engine(
            switch,
            self._members,
            _EngineDetector(self._detector),
            memory=memory,
            switch_is_new=switch_is_new,
        )

    async def learn(self) -> None:
        """Learns flow sizes, until cancelled."""
        await self._learner.run()

    # --- at a glance ------------------------------------------------------------------

    async def status(self) -> StatusView:
        """Everything at a glance. Raises ControllerError."""
        switch = self._config.switch
        return StatusView(
            pid=os.getpid(),
            uptime_s=round(time.monotonic() - self._started_s, 3),
            switch=SwitchView(
                name=switch.name, device_id=switch.device_id, p4runtime=switch.p4runtime
            ),
            instances=await self.instances(),
            engine=EngineView(**vars(self.engine.status())),
            moves=tuple(move.report() for move in self.engine.moves if not move.ended.is_set()),
        )

    async def instances(self) -> tuple[InstanceView, ...]:
        """The instances, each as it says itself. Raises ControllerError."""
        owned, drained = Counter[int](), Counter[int]()
        with _told():
            for group in self._config.groups:
                for bucket in (await self._switch.read_buckets(group.id)).values():
                    owned[bucket.owner] += 1
                    drained[bucket.previous] += 1
        views = (
            self._instance(instance, owned[instance.id], drained[instance.id])
            for instance in self._config.instances
        )
        return tuple(await asyncio.gather(*views))

    async def _instance(self, instance: InstanceConfig, owned: int, drained: int) -> InstanceView:
        member = self._members.get(instance.name)
        view = InstanceView(
            name=instance.name,
            id=instance.id,
            group=member.group_name if member else "",
            up=False,
            buckets_owned=owned,
            buckets_drained=drained,
        )
        client = self._clients[instance.name]
        try:
            info, load = await asyncio.gather(
                client.get_info(timeout_s=_INSTANCE_TIMEOUT_S),
                client.get_load(timeout_s=_INSTANCE_TIMEOUT_S),
            )
        except SouthboundError as error:
            return view.model_copy(update={"reason": error.reason})
        return view.model_copy(
            update={
                "up": True,
                "function": info.function,
                "state_version": info.state_version,
                "buckets_closed": len(info.closed_buckets),
                "flows": load.flows,
                "packets": load.packets,
                "bytes": load.bytes,
                "returned": load.returned,
                "bounced": load.bounced,
                "dropped": load.dropped,
                "cpu_seconds": load.cpu_seconds,
            }
        )

    # --- flows ------------------------------------------------------------------------

    async def flows(self) -> FlowsView:
        """The active flows, largest first. Raises ControllerError."""
        with _told():
            snapshot = await self._monitor.read()
        flows = self._views(snapshot.flows.take(snapshot.flows.largest_first()))
        return FlowsView(flows=flows, overflow=snapshot.overflow)

    async def elephants(self, choice: Choice, instance: str | None) -> ElephantsView:
        """The elephants, of all instances or of one. Raises ControllerError and MoveError."""
        number = None if instance is None else self._number(instance)
        rule = await _rule(self._detector, choice)
        with _told():
            found = await self._detector.filter_channel(number, rule)
        return ElephantsView(
            elephants=found.choice,
            instance=instance,
            flows=self._views(found.elephants),
            active_flows=found.active_flows,
            live_flows=found.live_flows,
            live_bytes=found.live_bytes,
            overflow=found.overflow,
            read_ms=round(found.read_s * 1e3, 3),
            nf_cpu_ms=None if found.nf_cpu_s is None else round(found.nf_cpu_s * 1e3, 3),
            choose_ms=round(found.choose_s * 1e3, 3),
        )

    async def population(self, instance: str | None, distribution: str | None) -> PopulationView:
        """The active flows, to plan with. Raises ControllerError and MoveError."""
        number = None if instance is None else self._number(instance)
        try:
            sizes = await self._detector.sizes(distribution)
        except DetectionError as error:
            raise MoveError(str(error)) from None
        with _told():
            seen = await self._detector.look(number)
        return PopulationView(
            instance=instance,
            bytes=tuple(seen.flows.bytes.tolist()),
            bytes_per_s=tuple(seen.bytes_per_s.round(3).tolist()),
            ended=tuple(seen.flows.ended.tolist()),
            window_ms=self._monitor.window_us / 1e3,
            overflow=seen.overflow,
            distribution=DistributionView(
                name=sizes.name, published=sizes.published, points=sizes.points
            ),
            moves=tuple(self._past_moves()),
        )

    def _past_moves(self) -> Iterator[PastMove]:
        for move in self.engine.moves[-_REMEMBERED_MOVES:]:
            outcomes = move.outcomes()
            done = outcomes[Outcome.MOVED] + outcomes[Outcome.ABSENT]
            if done and done == outcomes.total() and (took_ms := move.downtime_ms) is not None:
                yield PastMove(flows=done, downtime_ms=took_ms)

    def _is_busy(self) -> bool:
        return any(move.state in UNDER_WAY for move in self.engine.moves)

    def _move_s(self) -> float:
        """How long a move of elephants takes: the median of the last."""
        took_ms = [
            downtime_ms
            for move in self.engine.moves[-_REMEMBERED_MOVES:]
            if move.options.kind is Kind.MOVE_ELEPHANT
            and (downtime_ms := move.downtime_ms) is not None
        ]
        return (median(took_ms) if took_ms else self._config.detection.move_ms) / 1e3

    def _number(self, instance: str) -> int:
        known = self._config.instances_by_name
        if instance not in known:
            names = ", ".join(sorted(known))
            raise MoveError(f"unknown instance {instance!r}; there are: {names}", unknown=True)
        return known[instance].id

    def _views(self, table: FlowTable) -> tuple[FlowView, ...]:
        names = {instance.id: instance.name for instance in self._config.instances}
        rows = zip(
            table.five_tuples(),
            table.instance.tolist(),
            table.bytes.tolist(),
            table.idle_us.tolist(),
            table.ended.tolist(),
            strict=True,
        )
        return tuple(
            FlowView(
                flow=str(flow),
                instance=names.get(instance),
                bytes=size,
                idle_ms=idle_us / 1e3,
                ended=ended,
            )
            for flow, instance, size, idle_us, ended in rows
        )


class _EngineDetector:
    """The filter API, as the engine asks it."""

    def __init__(self, detector: ElephantDetector) -> None:
        self._detector = detector

    async def rule(self, choice: Choice) -> Rule:
        """The rule that is asked for, with all its parameters. Raises MoveError."""
        return await _rule(self._detector, choice)

    async def select(self, instance: int, rule: Rule) -> Selection:
        """The live elephants at an instance. Raises MoveError."""
        try:
            found = await self._detector.filter_channel(instance, rule)
        except (SwitchError, SouthboundError) as error:
            raise MoveError(f"the elephants cannot be detected: {error}", conflict=True) from error
        return Selection(found.flows, found.active_flows)


async def _rule(detector: ElephantDetector, choice: Choice) -> Rule:
    """The rule that is asked for. Raises MoveError."""
    try:
        return await detector.rule(choice)
    except DetectionError as error:
        raise MoveError(str(error)) from None


def members_of(config: Config, clients: Mapping[str, InstanceClient]) -> dict[str, Member]:
    """The instances that belong to a group: only those can give and take flows."""
    return {
        name: Member(config.instances_by_name[name].id, name, group.id, group.name, clients[name])
        for group in config.groups
        for name in group.instances
    }


@contextmanager
def _told() -> Generator[None]:
    """Turns what the switch or an instance does not tell into ControllerError."""
    try:
        yield
    except (SwitchError, SouthboundError, MoveError) as error:
        raise ControllerError(str(error)) from error
