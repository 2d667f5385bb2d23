"""The migration engine: owns the moves, the rules and the packets of flows that move."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from controlplane.detection.registry import Rule
from controlplane.migration.barriers import Barriers
from controlplane.migration.buckets import BucketKeeper, owned, share_of
from controlplane.migration.counts import ControlCounts
from controlplane.migration.errors import MoveError
from controlplane.migration.events import EventLog
from controlplane.migration.intake import Intake
from controlplane.migration.journal import JournalError
from controlplane.migration.left_rules import LeftRules
from controlplane.migration.memory import Memory
from controlplane.migration.move import Move
from controlplane.migration.numbers import Numbers
from controlplane.migration.options import Guarantee, KeepAt, Limits, MoveOptions
from controlplane.migration.outbox import Outbox
from controlplane.migration.peers import (
    Detector,
    Member,
    Switch,
)
from controlplane.migration.reception import Reception
from controlplane.migration.report import ENDED, UNDER_WAY, MoveState
from controlplane.migration.resumed_drains import resumed_drains
from controlplane.migration.services import Services
from controlplane.migration.stragglers import follow_up
from controlplane.migration.strategy import STRATEGIES, Takes
from controlplane.migration.writer import RuleWriter
from nf.southbound.flow import ALL_BUCKETS

_MAX_MOVES = 1000
_SEND_LAST_S = 5.0
_MAX_FLOWS_REMEMBERED = 1 << 17  # of all moves together, one by one

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineStatus:
    """The engine at a glance."""

    flow_rules: int
    """Rules in the switch, as far as is known."""
    flows_under_way: int
    buffered_packets: int
    buffered_bytes: int
    max_packets: int
    max_bytes: int
    unknown_packets: int
    """Held for a flow that nobody knows; dropped."""
    bounced_packets: int
    """Refused by the owner of their bucket."""
    lost_packet_outs: int
    """Not taken by the switch, or refused."""
    lost_packet_ins: int
    """Sent by the switch, but lost on the way to the controller."""
    lost_barriers: int
    expired_rules: int
    """Deleted because they were idle."""


class Engine:
    """Runs moves. Everything it starts ends with `run`."""

    def __init__(
        self,
        switch: Switch,
        members: Mapping[str, Member],
        detector: Detector,
        *,
        memory: Memory,
        switch_is_new: bool = False,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """The memory may be that of an engine that has ended: its moves are taken over.

        `switch_is_new`: the switch has been restarted since, and counts anew.
        """
        limits = limits or Limits()
        self._switch = switch
        self._members = members
        self._detector = detector
        self._wall_clock = wall_clock
        outbox = Outbox(switch, limits.outbox_bytes, memory.journal.flush)
        numbers = Numbers()
        buckets = BucketKeeper(switch, memory.journal)
        self._services = Services(
            writer=RuleWriter(switch, limits, memory.journal.flush),
            buckets=buckets,
            intake=Intake(buckets),
            outbox=outbox,
            buffer=memory.buffer,
            journal=memory.journal,
            barriers=Barriers(outbox, numbers, limits),
            numbers=numbers,
            limits=limits,
            clock=clock,
        )
        self._moves: OrderedDict[str, Move] = OrderedDict()
        self._switch_is_new = switch_is_new
        self._tasks: asyncio.TaskGroup | None = None
        self._move_tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when moves can be begun."""
        self._house_keeping = ControlCounts()
        self._left_rules = LeftRules(
            switch, list(members.values()), self._services, self._house_keeping
        )
        self._reception = Reception(
            switch, tuple(members.values()), self._services, self._left_rules, self._moves
        )

    # --- life -------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until `stop`; then every move under way is rolled back first.

        Raises SwitchError, in a group, when the switch is gone, and JournalError when nothing can
        be written down any more, or another controller has taken over.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._services.writer.rules.update(await self._switch.read_rules())
                taken_over = await self._take_over()
                helpers = [
                    tasks.create_task(work, name=name)
                    for name, work in (
                        ("rule writer", self._services.writer.run()),
                        ("outbox", self._services.outbox.run()),
                        ("packet-ins", self._reception.run()),
                        ("idle rules", self._left_rules.expire()),
                        ("orphans", self._left_rules.watch()),
                    )
                ]
                await self._left_rules.let_go(self._services.writer.rules)
                for move in taken_over:
                    self._spawn(tasks, move.finish(), move.id)
                for drain in await resumed_drains(
                    self._members.values(), taken_over, self._services, self._house_keeping
                ):
                    self._spawn(tasks, drain.run(), f"drain of {drain.previous.name}")
                for member in self._members.values():
                    keeping = self._services.intake.keep(member)
                    helpers.append(tasks.create_task(keeping, name=f"intake of {member.name}"))
                self._tasks = tasks
                self.ready.set()
                try:
                    await self._stopping.wait()
                finally:
                    self._tasks = None
                await self._end_moves()
                await self._send_last()
                for task in (*helpers, *self._move_tasks):
                    task.cancel()
        finally:
            self._services.outbox.give_up()

    def stop(self) -> None:
        """Begins no move any more, rolls back those under way and ends `run`."""
        self._stopping.set()

    def _spawn(
        self, tasks: asyncio.TaskGroup, work: Coroutine[None, None, None], name: str
    ) -> None:
        task = tasks.create_task(work, name=name)
        self._move_tasks.add(task)
        task.add_done_callback(self._move_tasks.discard)

    async def _take_over(self) -> list[Move]:
        """The moves that an earlier controller had begun, with each of their flows."""
        moves: list[Move] = []
        journal = self._services.journal
        journal.claim()
        begun = journal.open_moves()
        ruled = await self._switch.count_ruled() if begun and not self._switch_is_new else None
        for each in begun:
            try:
                source, destination = map(
                    self._member, (each.options.source, each.options.destination)
                )
            except MoveError as error:
                logger.error("m%d was under way and is given up: %s", each.number, error)
                journal.end(each.number)
                continue
            move = self._new_move(each.number, each.options, source, destination)
            move.take_over(each, ruled)
            moves.append(move)
        return moves

    async def _end_moves(self) -> None:
        under_way = [move for move in self._moves.values() if move.state in UNDER_WAY]
        for move in under_way:
            if move.state is not MoveState.UNDOING:
                move.cancel("the controller is stopping")
        for move in under_way:
            await move.moved.wait()

    async def _send_last(self) -> None:
        """What flows have waited for that were rolled back goes out before the end."""
        sent = asyncio.Event()
        self._services.outbox.when_sent(sent.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SEND_LAST_S):
                await sent.wait()

    # --- moves ------------------------------------------------------------------------

    async def begin(self, options: MoveOptions) -> Move:
        """Begins a move, once both instances have answered. Raises MoveError."""
        rule = await self._rule(options)
        source, destination = self._check(options)
        options = await self._with_buckets(options, source)
        try:
            number = self._services.journal.begin(options)
        except JournalError as error:
            raise MoveError(f"the move cannot be written down: {error}", conflict=True) from None
        move = self._new_move(number, options, source, destination, rule)
        try:
            try:
                await move.prepare()
            except JournalError as error:
                raise MoveError(f"it cannot be written down: {error}", conflict=True) from None
            if self._tasks is None:
                raise MoveError("the controller is stopping", conflict=True)
        except BaseException:
            del self._moves[move.id]
            await move.abandon()
            with suppress(JournalError):  # it has no flow: whoever takes over ends it
                self._services.journal.end(number)
            raise
        self._spawn(self._tasks, move.run(), move.id)
        if options.stragglers_after_s is not None:
            work = follow_up(move, options.stragglers_after_s, self.begin)
            self._spawn(self._tasks, work, f"stragglers of {move.id}")
        self._forget_old()
        return move

    def _new_move(
        self,
        number: int,
        options: MoveOptions,
        source: Member,
        destination: Member,
        rule: Rule | None = None,
    ) -> Move:
        move = Move(
            number,
            options,
            source,
            destination,
            rule=rule,
            detector=self._detector,
            services=self._services,
            wall_clock=self._wall_clock,
        )
        self._moves[move.id] = move
        return move

    async def _rule(self, options: MoveOptions) -> Rule | None:
        """How the elephants are told, where elephants move. Raises MoveError."""
        strategy = STRATEGIES[options.kind]
        if strategy.takes is Takes.ELEPHANTS:
            return await self._detector.rule(options.elephants)
        if options.stragglers_after_s is not None:
            raise MoveError("stragglers are for move-elephant: other moves leave no flow for them")
        for field in options.elephants.model_dump(exclude_none=True):
            raise MoveError(
                f"{field} is for move-elephant: {options.kind} takes {strategy.takes.value}"
            )
        return None

    def _check(self, options: MoveOptions) -> tuple[Member, Member]:
        source = self._member(options.source)
        destination = self._member(options.destination)
        if source is destination:
            raise MoveError(f"source and destination are both {source.name}")
        if source.group != destination.group:
            raise MoveError(
                f"{source.name} belongs to group {source.group_name}, "
                f"{destination.name} to {destination.group_name}"
            )
        if options.guarantee is Guarantee.NONE and options.keep_at is KeepAt.DESTINATION:
            raise MoveError("without a guarantee no packet waits, at the destination neither")
        refusal = STRATEGIES[options.kind].refusal(options)
        if refusal:
            raise MoveError(refusal)
        if self._tasks is None:
            raise MoveError("the controller is not ready, or stopping", conflict=True)
        return source, destination

    async def _with_buckets(self, options: MoveOptions, source: Member) -> MoveOptions:
        """Chooses the buckets of a share; other moves have none of them. Raises MoveError."""
        buckets = await self._services.buckets.read(source.group)
        others = [move for move in self._moves.values() if move.state in UNDER_WAY]
        if options.share is not None:
            taken = frozenset[int]().union(
                *(other.options.buckets for other in others if other.options.overlaps(options))
            )
            options = replace(
                options, buckets=share_of(buckets, source.id, options.share, ALL_BUCKETS - taken)
            )
            if not options.buckets:
                mine = len(owned(buckets, source.id, ALL_BUCKETS))
                free = len(owned(buckets, source.id, ALL_BUCKETS - taken))
                raise MoveError(
                    f"{source.name} has no bucket for that share: it owns {mine}, "
                    f"of which {mine - free} are in other moves",
                    conflict=True,
                )
        for other in others:
            if other.options.overlaps(options):
                raise MoveError(
                    f"{other.id} is moving flows of {other.source.name} to "
                    f"{other.destination.name}: wait for it, or cancel it",
                    conflict=True,
                )
        return options

    def _member(self, name: str) -> Member:
        member = self._members.get(name)
        if member is None:
            known = ", ".join(sorted(self._members)) or "none"
            raise MoveError(f"unknown instance {name!r}; there are: {known}", unknown=True)
        return member

    def _forget_old(self) -> None:
        over = [number for number, move in self._moves.items() if move.state in ENDED]
        for number in over[: max(0, len(self._moves) - _MAX_MOVES)]:
            del self._moves[number]
        remembered = sum(move.flows_remembered for move in self._moves.values())
        for move in self._moves.values():
            if remembered <= _MAX_FLOWS_REMEMBERED:
                return
            if move.state not in UNDER_WAY:
                remembered -= move.flows_remembered
                move.forget_flows()

    def move(self, number: str) -> Move:
        """A move by its id. Raises MoveError."""
        move = self._moves.get(number)
        if move is None:
            raise MoveError(f"there is no move {number!r}", unknown=True)
        return move

    @property
    def moves(self) -> tuple[Move, ...]:
        """All moves, oldest first."""
        return tuple(self._moves.values())

    def status(self) -> EngineStatus:
        """The engine at a glance."""
        services = self._services
        return EngineStatus(
            flow_rules=len(services.writer.rules),
            flows_under_way=len(services.registry),
            buffered_packets=services.buffer.packets,
            buffered_bytes=services.buffer.bytes,
            max_packets=services.buffer.max_packets,
            max_bytes=services.buffer.max_bytes,
            unknown_packets=self._reception.unknown,
            bounced_packets=self._reception.bounced,
            lost_packet_outs=services.outbox.lost + self._switch.refused_packet_outs,
            lost_packet_ins=self._reception.lost,
            lost_barriers=services.barriers.lost,
            expired_rules=self._left_rules.expired,
        )

    @property
    def events(self) -> EventLog:
        """What happens."""
        return self._services.events
