"""A controller over the model of switch and instances, behind the real API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from instance_model import flow_of
from migration_model import GROUP, Model, ModelDetector

from controlplane.detection.choice import Choice
from controlplane.migration.buffer import PacketBuffer
from controlplane.migration.engine import Engine
from controlplane.migration.errors import MoveError
from controlplane.migration.memory import Memory
from controlplane.migration.options import Limits
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
from controlplane.sizes.distribution import SizesError
from controlplane.sizes.files import find_distribution

FLOWS = [flow_of(number) for number in range(1, 25)]


class ModelController:
    """What the daemon is in real life."""

    def __init__(self, model: Model, engine: Engine) -> None:
        self.model = model
        self._engine = engine
        self.broken = False

    @property
    def engine(self) -> Engine:
        return self._engine

    async def status(self) -> StatusView:
        status = self.engine.status()
        return StatusView(
            pid=1,
            uptime_s=1.0,
            switch=SwitchView(name="s1", device_id=1, p4runtime="unix:/nowhere"),
            instances=await self.instances(),
            engine=EngineView(**vars(status)),
            moves=(),
        )

    async def instances(self) -> tuple[InstanceView, ...]:
        return tuple(
            InstanceView(
                name=nf.name,
                id=nf.id,
                group=str(GROUP),
                up=True,
                buckets_owned=0,
                buckets_drained=0,
                flows=len(nf.flows),
            )
            for nf in self.model.instances
        )

    async def flows(self) -> FlowsView:
        if self.broken:
            raise ControllerError("the switch does not answer")
        return FlowsView(flows=self._flows(), overflow=3)

    async def elephants(self, choice: Choice, instance: str | None) -> ElephantsView:
        flows = self._flows()
        rule = await ModelDetector().rule(choice)
        return ElephantsView(
            elephants=rule.choice,
            instance=instance,
            flows=flows,
            active_flows=len(flows),
            live_flows=len(flows),
            live_bytes=sum(flow.bytes for flow in flows),
            overflow=3,
            read_ms=1.0,
            choose_ms=0.5,
        )

    async def population(self, instance: str | None, distribution: str | None) -> PopulationView:
        try:
            sizes = find_distribution(distribution or "web-search")
        except SizesError as error:
            raise MoveError(str(error)) from None
        flows = self._flows()
        return PopulationView(
            instance=instance,
            bytes=tuple(flow.bytes for flow in flows),
            bytes_per_s=(1e6,) * len(flows),
            ended=tuple(number < 4 for number in range(len(flows))),
            window_ms=100,
            overflow=0,
            distribution=DistributionView(name=sizes.name, published=True, points=sizes.points),
            moves=(PastMove(flows=10, downtime_ms=15), PastMove(flows=30, downtime_ms=25)),
        )

    def _flows(self) -> tuple[FlowView, ...]:
        return tuple(
            FlowView(flow=str(flow), instance="nf1", bytes=100, idle_ms=1.5, ended=False)
            for flow in self.model.nf1.flows
        )


@contextlib.asynccontextmanager
async def model_controller() -> AsyncGenerator[ModelController]:
    """A controller of three instances with flows at nf1, five of them elephants."""
    async with Model(1, instances=3) as model:
        engine = Engine(
            model.switch,
            model.members,
            ModelDetector(FLOWS[:5]),
            memory=Memory(PacketBuffer(1000, 1 << 20)),
            limits=Limits(drain_interval_s=0.01),
        )
        task = asyncio.create_task(engine.run())
        await engine.ready.wait()
        for flow in FLOWS:
            model.send(flow)
        await model.quiet()
        try:
            yield ModelController(model, engine)
        finally:
            engine.stop()
            await task
