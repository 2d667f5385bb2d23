"""The world around one flow, small enough to walk through all its interleavings.

A world is a value: the switch's rule, what is under way in each queue, the two
instances' states, what has been asked and not yet answered. `successors` gives every
world that can come next. Packets are numbers; a state is the tuple of those processed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controlplane.migration.machine import step
from controlplane.migration.phases import ENDS, Action, Event, Phase
from controlplane.migration.state import Rules, State, stage, taken_over

SOURCE = "source"
DESTINATION = "destination"
HOLD = "hold"
MARKER = "marker"
BARRIER = "barrier"

Packets = tuple[int, ...]


@dataclass(frozen=True)
class World:
    """Everything there is, at one moment."""

    flow: State
    rule: str = SOURCE
    """The flow's rule; to begin with its bucket sends it to the source."""
    sent: int = 0
    to_controller: tuple[int | str, ...] = ()
    from_controller: tuple[tuple[str, int | str], ...] = ()
    source_port: tuple[int | str, ...] = ()
    destination_port: tuple[int | str, ...] = ()
    source: Packets | None = ()
    began_absent: bool = False
    destination: Packets | None = None
    aside: bool = False
    """The destination sets aside what is not tagged: bounces and what the controller passes."""
    waiting: Packets = ()
    """What it has set aside."""
    destination_marker_read: bool = False
    destination_failed: bool = False
    """With what it had set aside."""
    buffer: Packets = ()
    marker_read: bool = False
    asked: tuple[tuple[str, str | Packets | None], ...] = ()
    """What is asked and not answered, oldest first."""
    chunk: Packets = ()
    released: tuple[tuple[str, int], ...] = ()
    """What the controller has sent on, in order."""
    faults: int = 0
    """Faults that may still happen."""
    cancels: int = 0
    """Cancels that may still happen."""
    crashes: int = 0
    """Controllers that may still die, with the packets they have."""
    lost: Packets = ()
    trace: tuple[str, ...] = field(default=(), compare=False)

    def event(self, event: Event, note: str = "", packet: int = -1) -> World:
        """The machine takes an event, and its actions are performed."""
        flow, actions = step(self.flow, event, 0.0, note)
        world = replace(
            self, flow=flow, trace=(*self.trace, f"{note}{event.name}→{flow.phase.name}")
        )
        for action in actions:
            world = world._perform(action, packet)
        return world

    def _release(self, to: str, packets: Packets) -> World:
        return replace(
            self,
            from_controller=(*self.from_controller, *((to, packet) for packet in packets)),
            released=(*self.released, *((to, packet) for packet in packets)),
        )

    def _ask(self, what: str, argument: str | Packets | None = None) -> World:
        return replace(self, asked=(*self.asked, (what, argument)))

    def _perform(self, action: Action, packet: int) -> World:
        match action:
            case Action.KEEP:
                return replace(self, buffer=(*self.buffer, packet))
            case Action.PASS_TO_DESTINATION:
                return self._release(DESTINATION, (packet,))
            case Action.PASS_TO_SOURCE:
                return self._release(SOURCE, (packet,))
            case Action.RELEASE_TO_DESTINATION:
                return replace(self._release(DESTINATION, self.buffer), buffer=())
            case Action.RELEASE_TO_SOURCE:
                return replace(self._release(SOURCE, self.buffer), buffer=())
            case Action.HOLD:
                return self._ask("write", HOLD)
            case Action.STEER:
                return self._ask("write", DESTINATION)
            case Action.RESTORE:
                return self._ask("write", SOURCE)
            case Action.EXPORT:
                world = replace(self, from_controller=(*self.from_controller, (SOURCE, MARKER)))
                return world._ask("export")
            case Action.IMPORT:
                return self._ask("import", self.chunk)
            case Action.SET_ASIDE:
                return self._ask("set aside")
            case Action.ADMIT | Action.RECALL:
                packets = (*self.from_controller, (DESTINATION, MARKER))
                world = replace(self, from_controller=packets, destination_marker_read=False)
                return world._ask("admit" if action is Action.ADMIT else "recall")
            case Action.DELETE_AT_SOURCE:
                return self._ask("delete", SOURCE)
            case Action.DELETE_AT_DESTINATION:
                return self._ask("delete", DESTINATION)
            case Action.BARRIER:
                return replace(
                    self, from_controller=(*self.from_controller, ("controller", BARRIER))
                )

    def answered(self, index: int) -> World:
        return replace(self, asked=self.asked[:index] + self.asked[index + 1 :])


def replace(world: World, **changes: Any) -> World:
    """As that of dataclasses, at a tenth of its price: it is most of what a walk does."""
    other = object.__new__(World)
    vars(other).update(vars(world), **changes)
    return other


def begin(
    rules: Rules, *, faults: int, cancels: int, absent: bool = False, crashes: int = 0
) -> World:
    """A flow that is about to be moved."""
    world = World(State(rules), faults=faults, cancels=cancels, crashes=crashes)
    if absent:
        world = replace(world, source=None, began_absent=True)
    return world.event(Event.START)


def successors(world: World, packets: int) -> Iterator[World]:
    """Every world that can come next, when hosts send so many packets in all."""
    if world.sent < packets:
        yield _host_sends(world)
    if world.from_controller:
        yield _switch_takes(world)
    if world.source_port:
        yield _source_reads(world)
    if world.destination_port:
        yield _destination_reads(world)
    if world.to_controller:
        yield from _controller_takes(world)
    if world.cancels and world.flow.phase not in ENDS:
        yield replace(world, cancels=world.cancels - 1).event(Event.CANCEL)
    if world.crashes and world.flow.phase not in ENDS:
        yield from _controller_dies(world)
    if world.flow.phase is Phase.EXPORTED or world.flow.phase is Phase.IMPORTED:
        yield world.event(Event.PROCEED)
    if world.faults and world.flow.phase is Phase.IMPORTED:
        died = replace(world, faults=world.faults - 1, destination=None, waiting=(), aside=False)
        keeps = bool(world.waiting) or world.flow.rules.diverts
        yield replace(died, destination_failed=keeps).event(Event.FAILED)
    if world.faults and world.flow.deadline_s is not None:
        yield replace(world, faults=world.faults - 1).event(Event.TIMEOUT)
    for index, (what, argument) in enumerate(world.asked):
        # Writes are made one at a time; other calls may overtake each other.
        if what == "write":
            assert isinstance(argument, str)
            yield from _switch_answers(world, index, argument)
        elif what == "applied":
            yield world.answered(index).event(Event.WRITTEN)
        elif what == "export":
            yield from _source_answers(world, index)
        elif what == "set aside":
            yield replace(world.answered(index), aside=True)._ask("announced")  # pyright: ignore[reportPrivateUsage]
            if world.faults:
                yield replace(world.answered(index), faults=world.faults - 1).event(Event.FAILED)
        elif what == "announced":
            yield world.answered(index).event(Event.ANNOUNCED)
        elif what == "admit":
            yield from _destination_admits(world, index)
        elif what == "recall":
            yield from _destination_gives_back(world, index)
        elif what == "import":
            assert isinstance(argument, tuple)
            yield from _destination_answers(world, index, argument)
        elif what == "imported":
            yield world.answered(index).event(Event.IN_PLACE)
        elif what == "delete":
            after = world.answered(index)
            if argument == SOURCE:
                yield replace(after, source=None).event(Event.DELETED)
            else:
                yield replace(after, destination=None).event(Event.DELETED)


def _controller_dies(world: World) -> Iterator[World]:
    """Another one takes over, which knows from the journal whether this one had committed.

    What was asked is done, in its order, or its connection broke before; no answer comes.
    """
    packets = [each for each in world.to_controller if isinstance(each, int)]
    flow = world.flow
    left = replace(
        world,
        crashes=world.crashes - 1,
        buffer=(),
        to_controller=(),
        # Barriers and markers have numbers, and these are nobody's any more.
        from_controller=tuple(each for each in world.from_controller if isinstance(each[1], int)),
        destination_port=tuple(each for each in world.destination_port if isinstance(each, int)),
        asked=(),
        lost=(*world.lost, *world.buffer, *packets),
    )
    for done in range(len(world.asked) + 1):
        after = left
        for what, argument in world.asked[:done]:
            after = _done_unheard(after, what, argument)
        fresh, event = taken_over(flow.rules, stage(flow))
        yield replace(after, flow=fresh).event(event, "died ")


def _done_unheard(world: World, what: str, argument: str | Packets | None) -> World:
    match what, argument:
        case "write", str():
            return replace(world, rule=argument)
        case "set aside", _:
            return replace(world, aside=True)
        case "import", tuple():
            return replace(world, destination=argument)
        case "delete", str():
            gone = {"source": None} if argument == SOURCE else {"destination": None}
            return replace(world, **gone)
        case "admit", _ if world.destination_marker_read:
            processed = (*(world.destination or ()), *world.waiting)
            has_state = world.destination is not None or world.waiting
            state = processed if has_state else None
            return replace(world, aside=False, waiting=(), destination=state)
        case _:
            return world


def _host_sends(world: World) -> World:
    packet = world.sent
    world = replace(world, sent=packet + 1)
    if world.rule == HOLD:
        return replace(world, to_controller=(*world.to_controller, packet))
    if world.rule == DESTINATION:
        return replace(world, destination_port=(*world.destination_port, packet))
    return replace(world, source_port=(*world.source_port, packet))


def _switch_takes(world: World) -> World:
    (to, what), *rest = world.from_controller
    world = replace(world, from_controller=tuple(rest))
    if to == SOURCE:
        return replace(world, source_port=(*world.source_port, what))
    if to == DESTINATION:
        tagged = what if isinstance(what, str) else ~what
        return replace(world, destination_port=(*world.destination_port, tagged))
    return replace(world, to_controller=(*world.to_controller, what))


def _source_reads(world: World) -> World:
    head, *rest = world.source_port
    world = replace(world, source_port=tuple(rest))
    if isinstance(head, str):
        return replace(world, marker_read=True)
    if world.source is None:
        # It refuses new state: the switch hands the packet to the bucket's new owner.
        return replace(world, destination_port=(*world.destination_port, ~head))
    return replace(world, source=(*world.source, head))


def _destination_reads(world: World) -> World:
    head, *rest = world.destination_port
    world = replace(world, destination_port=tuple(rest))
    if isinstance(head, str):
        return replace(world, destination_marker_read=True)
    if world.aside and head >= 0:
        return replace(world, waiting=(*world.waiting, head))
    packet = head if head >= 0 else ~head
    return replace(world, destination=(*(world.destination or ()), packet))


def _destination_admits(world: World, index: int) -> Iterator[World]:
    rest = replace(world.answered(index), aside=False, waiting=())
    if world.destination_marker_read:
        processed = (*(world.destination or ()), *world.waiting)
        has_state = world.destination is not None or world.waiting
        admitted = replace(rest, destination=processed if has_state else None)
        yield admitted.event(Event.ADMITTED)
    if world.faults:
        yield replace(rest, faults=world.faults - 1, destination_failed=True).event(Event.FAILED)


def _destination_gives_back(world: World, index: int) -> Iterator[World]:
    rest = replace(world.answered(index), aside=False, waiting=())
    if world.destination_marker_read:
        yield rest._release(SOURCE, world.waiting).event(Event.RECALLED)  # pyright: ignore[reportPrivateUsage]
    if world.faults:
        failed = replace(rest, faults=world.faults - 1, destination_failed=True)
        yield failed.event(Event.NOT_RECALLED)


def _controller_takes(world: World) -> Iterator[World]:
    head, *rest = world.to_controller
    world = replace(world, to_controller=tuple(rest))
    if isinstance(head, str):
        yield world.event(Event.SETTLED)
        return
    forgotten = world.flow.phase in (Phase.MOVED, Phase.ROLLED_BACK)
    assert not forgotten, f"a held packet behind the barrier: {' '.join(world.trace)}"
    _, actions = step(world.flow, Event.HELD, 0.0)
    if Action.KEEP in actions and world.faults:
        full = replace(world, faults=world.faults - 1).event(Event.FULL)
        yield full.event(Event.HELD, packet=head)
    yield world.event(Event.HELD, packet=head)


def _switch_answers(world: World, index: int, rule: str) -> Iterator[World]:
    rest = world.answered(index)
    yield replace(rest, rule=rule)._ask("applied")  # pyright: ignore[reportPrivateUsage]
    if world.faults:
        rest = replace(rest, faults=world.faults - 1)
        yield rest.event(Event.REFUSED)
        yield rest.event(Event.UNANSWERED, "not written ")
        yield replace(rest, rule=rule).event(Event.UNANSWERED, "written ")


def _source_answers(world: World, index: int) -> Iterator[World]:
    rest = world.answered(index)
    if world.marker_read:
        if world.source is None:
            yield rest.event(Event.ABSENT)
        else:
            yield replace(rest, chunk=world.source).event(Event.STATE)
    if world.faults:
        yield replace(rest, faults=world.faults - 1).event(Event.FAILED)


def _destination_answers(world: World, index: int, chunk: Packets) -> Iterator[World]:
    rest = world.answered(index)
    yield replace(rest, destination=chunk)._ask("imported")  # pyright: ignore[reportPrivateUsage]
    if world.faults:
        yield replace(rest, faults=world.faults - 1).event(Event.FAILED)


def complaint(world: World) -> str | None:
    """What is wrong with a world in which nothing can happen any more."""
    if world.flow.phase not in ENDS:
        return f"stuck in {world.flow.phase.value}"
    if world.buffer:
        return "packets are left in the buffer"
    if world.waiting or world.aside:
        return "packets are set aside for ever"
    if world.destination_failed:
        return None
    if world.flow.rules.diverts and world.flow.phase is Phase.RETURNING:
        return None  # the switch has not taken the traffic from the destination again
    if world.source is not None and world.destination is not None:
        return "the state is in two places"
    processed = world.source if world.source is not None else world.destination
    if processed is None:
        has_none = world.began_absent and len(world.lost) == world.sent
        return None if has_none else "the state is lost"
    if world.lost and not world.flow.rules.holds:
        return f"lost {world.lost}, and none was with the controller"
    if sorted((*processed, *world.lost)) != list(range(world.sent)):
        return f"processed {processed} and lost {world.lost} of {world.sent} packets"
    if (
        world.flow.rules.aside
        and world.flow.phase is Phase.MOVED
        and list(processed) != sorted(processed)
    ):
        return f"processed out of order: {processed}"
    for place in (SOURCE, DESTINATION):
        released = [packet for to, packet in world.released if to == place]
        if released != sorted(released):
            return f"released out of order: {released}"
    return None
