"""What the northbound API needs of the controller behind it."""

from __future__ import annotations

from typing import Protocol

from controlplane.detection.choice import Choice
from controlplane.migration.engine import Engine
from controlplane.northbound.models import (
    ElephantsView,
    FlowsView,
    InstanceView,
    PopulationView,
    StatusView,
)


class Controller(Protocol):
    """The running controller. Its methods raise ControllerError."""

    @property
    def engine(self) -> Engine:
        """The migration engine."""
        ...

    async def status(self) -> StatusView:
        """Everything at a glance."""
        ...

    async def instances(self) -> tuple[InstanceView, ...]:
        """The instances, each as it says itself."""
        ...

    async def flows(self) -> FlowsView:
        """The active flows."""
        ...

    async def elephants(self, choice: Choice, instance: str | None) -> ElephantsView:
        """The elephants, of all instances or of one. Raises MoveError, too."""
        ...

    async def population(self, instance: str | None, distribution: str | None) -> PopulationView:
        """The active flows, of all instances or of one, to plan with. Raises MoveError, too."""
        ...


class ControllerError(Exception):
    """The controller cannot tell: the switch does not answer, or the like. One line."""
