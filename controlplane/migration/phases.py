"""What can be the matter with a flow that moves, what can happen to it, what is to be done."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """What a flow is waiting for."""

    WAITING = "waiting"
    """For its turn."""
    ANNOUNCING = "announcing"
    """For the destination to set the flow's packets aside; only where it keeps any."""
    DIVERTING = "diverting"
    """For the switch to have written the rule to the destination, which keeps the packets."""
    HOLDING = "holding"
    """For the switch to have written the rule that holds it."""
    EXPORTING = "exporting"
    """For the source to have read the marker and exported the state."""
    EXPORTED = "exported"
    """For the other flows to be exported; only without parallelising."""
    IMPORTING = "importing"
    """For the destination to have the state in place."""
    IMPORTED = "imported"
    """For the other flows to be imported; only without early release."""
    STEERING = "steering"
    """For the switch to have written the rule to the destination. Committed."""
    DELETING = "deleting"
    """For the source to have deleted its state."""
    SETTLING = "settling"
    """For the barrier behind the last packet that was held."""
    ADMITTING = "admitting"
    """For the destination to have processed what it has set aside."""
    MOVED = "moved"
    """End: the destination has state and packets."""
    FORWARDING = "forwarding"
    """End: moved, but the switch does not take the rule; packets pass through the controller, or,
    without a guarantee, are bounced by the source."""
    WITHDRAWING = "withdrawing"
    """Rolling back, for the answer of the destination that was asked to set packets aside."""
    ABANDONING = "abandoning"
    """Rolling back, for the first rule to be written before it can be replaced."""
    RESTORING = "restoring"
    """Rolling back, for the switch to have written the rule to the source."""
    RECALLING = "recalling"
    """Rolling back, for the destination to have given back what it has set aside."""
    CLEARING = "clearing"
    """Rolling back, for the destination to have deleted its copy."""
    UNWINDING = "unwinding"
    """Rolling back, for the barrier behind the last packet that was held."""
    ROLLED_BACK = "rolled back"
    """End: the source has state and packets, as before."""
    RETURNING = "returning"
    """End: rolled back, but the switch does not take the rule; packets pass through the
    controller, or, where they were kept at the destination, go there and begin a new state."""

    # Enum members are compared by identity and looked up often.
    __hash__ = object.__hash__


ENDS = frozenset({Phase.MOVED, Phase.FORWARDING, Phase.ROLLED_BACK, Phase.RETURNING})
"""Phases that a flow does not leave."""

COMMITTED = frozenset(
    {
        Phase.STEERING,
        Phase.DELETING,
        Phase.SETTLING,
        Phase.ADMITTING,
        Phase.MOVED,
        Phase.FORWARDING,
    }
)
"""Phases of a flow that goes to the destination, unless the switch refuses the rule."""


class Event(Enum):
    """What can happen to a flow."""

    START = auto()
    """Its turn has come."""
    UNDO = auto()
    """An earlier controller had begun to move it, and was not committed."""
    FINISH = auto()
    """An earlier controller had committed to move it."""
    HELD = auto()
    """A packet of it came from the switch."""
    ANNOUNCED = auto()
    """The destination sets the flow's packets aside from now on."""
    WRITTEN = auto()
    """The switch has written the rule."""
    REFUSED = auto()
    """The switch has refused the rule: it is as it was."""
    UNANSWERED = auto()
    """The switch has not answered: the rule may be written or not."""
    STATE = auto()
    """The source has exported the state."""
    ABSENT = auto()
    """The source has no state for the flow."""
    PROCEED = auto()
    """All other flows are as far as this one."""
    IN_PLACE = auto()
    """The destination has imported the state."""
    FAILED = auto()
    """An instance has failed or refused what was asked of it, or a third one may have the flow."""
    DELETED = auto()
    """The instance asked has deleted the state."""
    NOT_DELETED = auto()
    """It has not, or has not said so."""
    ADMITTED = auto()
    """The destination has processed what it had set aside, and sets nothing aside any more."""
    RECALLED = auto()
    """The destination has given back what it had set aside, and sets nothing aside any more."""
    NOT_RECALLED = auto()
    """It has not, or has not said so."""
    SETTLED = auto()
    """The barrier has come back, or is not waited for any longer."""
    FULL = auto()
    """The buffer cannot keep a packet of the flow."""
    CANCEL = auto()
    """The move is cancelled."""
    TIMEOUT = auto()
    """The deadline of the phase has passed."""

    __hash__ = object.__hash__


class Action(Enum):
    """What is to be done; each that asks somebody is answered by an event."""

    KEEP = auto()
    """Buffer this packet, behind the flow's others."""
    PASS_TO_DESTINATION = auto()
    """Send this packet to the destination, at once."""
    PASS_TO_SOURCE = auto()
    """Send this packet to the source, at once."""
    RELEASE_TO_DESTINATION = auto()
    """Send the flow's buffered packets to the destination, in order."""
    RELEASE_TO_SOURCE = auto()
    """Send the flow's buffered packets to the source, in order."""
    SET_ASIDE = auto()
    """Have the destination set aside what comes to it directly: ANNOUNCED or FAILED."""
    ADMIT = auto()
    """Have the destination process that, behind what was passed to it: ADMITTED or FAILED."""
    RECALL = auto()
    """Have the destination give that back, for the source: RECALLED or NOT_RECALLED."""
    HOLD = auto()
    """Write the rule that holds the flow: WRITTEN, REFUSED or UNANSWERED."""
    STEER = auto()
    """Write the rule to the destination: the same."""
    RESTORE = auto()
    """Write the rule to the source: the same."""
    EXPORT = auto()
    """Marker and get at the source: STATE, ABSENT or FAILED."""
    IMPORT = auto()
    """Put at the destination: IN_PLACE or FAILED."""
    DELETE_AT_SOURCE = auto()
    """DELETED or NOT_DELETED."""
    DELETE_AT_DESTINATION = auto()
    """DELETED or NOT_DELETED."""
    BARRIER = auto()
    """Send a barrier through the switch: SETTLED."""

    __hash__ = object.__hash__
