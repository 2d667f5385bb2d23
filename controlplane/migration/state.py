"""How far a flow is that moves, and under which rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from controlplane.migration.phases import COMMITTED, Event, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the flows of a move are moved."""

    holds: bool = True
    """Packets wait at the controller (loss-free)."""

    diverts: bool = False
    """Packets wait at the destination, to which they are steered at once (loss-free, in order).

    With neither, there is no guarantee; never both."""

    aside: bool = False
    """The destination sets packets aside that come directly: if it keeps all of them, or, for
    their order, until it has those that the controller passes on."""

    parallelize: bool = True
    """Each state is put as it is got, instead of all gets first."""

    early_release: bool = True
    """Each flow is released when its own state is in place, instead of when all are."""

    export_timeout_s: float = 5.0
    """How long the source may answer for no flow, of those it is asked to export."""

    import_timeout_s: float = 5.0
    """How long the destination may answer for no flow, of those it is to import."""

    @property
    def is_loss_free(self) -> bool:
        """Whether packets wait, here or there."""
        return self.holds or self.diverts


class State(NamedTuple):
    """One flow's state. Only `step` makes new ones."""

    rules: Rules = Rules()
    phase: Phase = Phase.WAITING
    deadline_s: float | None = None
    """When the phase times out."""
    kept: int = 0
    """Packets in the buffer."""
    passed: int = 0
    """Packets that the destination has been sent by the controller."""
    put: bool = False
    """A put was issued: the destination may have a copy."""
    ruled: bool = False
    """A rule for the flow was asked for."""
    absent: bool = False
    """The source had no state."""
    reason: str = ""
    """Why the flow was rolled back, or what did not work out."""


class Stage(Enum):
    """How far a flow is, as far as whoever takes over has to know; in this order."""

    BEGUN = "begun"
    PUT = "put"
    """The destination may have a copy of the state."""
    COMMITTED = "committed"
    """The destination has the state."""
    COMMITTED_ABSENT = "committed, absent"
    """The source had none: the flow goes to the destination."""

    @property
    def is_committed(self) -> bool:
        """Whether whoever takes over sends the flow to the destination."""
        return self in (Stage.COMMITTED, Stage.COMMITTED_ABSENT)


def stage(state: State) -> Stage:
    """How far a flow is. To be written down before what leads there is done."""
    if state.phase in COMMITTED:
        return Stage.COMMITTED_ABSENT if state.absent else Stage.COMMITTED
    return Stage.PUT if state.put else Stage.BEGUN


def taken_over(rules: Rules, stage: Stage) -> tuple[State, Event]:
    """A flow that an earlier controller had begun to move, and what happens to it first.

    What that one had asked for may be done or not: it is taken to be done.
    """
    state = State(
        rules,
        passed=int(stage.is_committed),
        put=stage in (Stage.PUT, Stage.COMMITTED),
        ruled=True,
        absent=stage is Stage.COMMITTED_ABSENT,
    )
    return state, Event.FINISH if stage.is_committed else Event.UNDO
